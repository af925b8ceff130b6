// dynamodb.c: the verbs of DynamoDB.
#include "store/dynamodb_store.h"

const struct store_verbs neap__dynamodb_verbs = {
    .name = "dynamodb",
    .capabilities = CAN_CONDITIONS | CAN_NULL | CAN_RETURNING | CAN_REQUESTS,
    .waits = true,
    .hints = true,
    .explain = neap__dynamodb_explain,
    .close = neap__dynamodb_close};
