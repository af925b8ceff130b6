// dynamodb.c: the verbs of DynamoDB.
#include "store/dynamodb_store.h"

const struct store_verbs neap__dynamodb_verbs = {
    .name = "dynamodb",
    .capabilities =
        CAN_TRANSACTIONS | CAN_CHECKS | CAN_CONDITIONS | CAN_NULL | CAN_RETURNING | CAN_REQUESTS | CAN_STREAM_CHANGES,
    .in_memory = CAN_JOINS | CAN_AGGREGATES,
    .waits = true,
    .marks = true,
    .hints = true,
    .select = neap__dynamodb_select,
    .count = neap__dynamodb_count,
    .update = neap__dynamodb_update_all,
    .remove = neap__dynamodb_remove_all,
    .get = neap__dynamodb_get,
    .load = neap__dynamodb_load,
    .write = neap__dynamodb_write,
    .begin = neap__dynamodb_begin_transaction,
    .commit = neap__dynamodb_commit,
    .rollback = neap__dynamodb_rollback,
    .refused = neap__dynamodb_refused,
    .explain = neap__dynamodb_explain,
    .close = neap__dynamodb_close,
};
