// modules.c: the C modules that `require` knows. The one list that a new module is added to.
#include "modules.h"
#include "host.h"

const luaL_Reg neap__modules[] = {
    {"neap.apart.kernel", luaopen_neap_apart_kernel},
    {"neap.bytes", luaopen_neap_bytes},
    {"neap.class", luaopen_neap_class},
    {"neap.condition", luaopen_neap_condition},
    {"neap.csv", luaopen_neap_csv},
    {"neap.date", luaopen_neap_date},
    {"neap.datetime", luaopen_neap_datetime},
    {"neap.decimal", luaopen_neap_decimal},
#if WITH_HTTP
    {"neap.dynamodb.kernel", luaopen_neap_dynamodb_kernel},
    {"neap.dynamodb.schema", luaopen_neap_dynamodb_schema},
#endif
    {"neap.fence", luaopen_neap_fence},
    {"neap.folder", luaopen_neap_folder},
#if WITH_HTTP
    {"neap.http.kernel", luaopen_neap_http_kernel},
#endif
    {"neap.json", luaopen_neap_json},
    {"neap.lock.kernel", luaopen_neap_lock_kernel},
    {"neap.look", luaopen_neap_look},
    {"neap.marks", luaopen_neap_marks},
    {"neap.mongo.kernel", luaopen_neap_mongo_kernel},
    {"neap.now", luaopen_neap_now},
    {"neap.object_kernel", luaopen_neap_object_kernel},
    {"neap.process", luaopen_neap_process},
    {"neap.query", luaopen_neap_query},
    {"neap.save_kernel", luaopen_neap_save_kernel},
    {"neap.sql", luaopen_neap_sql},
    {"neap.sql.schema", luaopen_neap_sql_schema},
    {"neap.terminal", luaopen_neap_terminal},
    {"neap.uuid", luaopen_neap_uuid},
    {"neap.view", luaopen_neap_view},
    {NULL, NULL},
};

// What is behind them takes its arguments on trust, or is the program's own business.
const char *const neap__public[] = {
    "bytes",   "crud",  "csv", "date",     "datetime", "decimal", "http",  "job",   "json", "lease", "log",
    "migrate", "mongo", "now", "progress", "reflect",  "test",    "types", "users", "uuid", NULL,
};
