// dynamodb.c: the verbs of DynamoDB.
#include "store/dynamodb_store.h"

const struct store_verbs neap__dynamodb_verbs = {
    .name = "dynamodb",
    .capabilities = CAN_CONDITIONS | CAN_NULL | CAN_RETURNING | CAN_REQUESTS,
    .waits = true,
    .marks = true,
    .hints = true,
    .select = neap__dynamodb_select,
    .count = neap__dynamodb_count,
    .update = neap__dynamodb_update_all,
    .remove = neap__dynamodb_remove_all,
    .get = neap__dynamodb_get,
    .write = neap__dynamodb_write,
    .explain = neap__dynamodb_explain,
    .close = neap__dynamodb_close,
};
