// postgres_libpq.h: libpq's functions under their own names, out of a table: the library is loaded when it is first needed, for
// with all that it needs itself it would make every start three times as long.
#ifndef NEAP_POSTGRES_LIBPQ_H
#define NEAP_POSTGRES_LIBPQ_H

#include <libpq-fe.h>

#include "host.h"

// clang-format off
#define POSTGRES_LIBPQ(X) \
  X(PQcancel) X(PQclear) X(PQcmdStatus) X(PQcmdTuples) X(PQconndefaults) X(PQconnectPoll) X(PQconnectStartParams) \
  X(PQconninfoFree) X(PQconninfoParse) X(PQconsumeInput) X(PQenterPipelineMode) X(PQerrorMessage) \
  X(PQexitPipelineMode) X(PQfinish) X(PQflush) X(PQfname) X(PQfreeCancel) X(PQfreemem) X(PQftype) X(PQgetCancel) \
  X(PQgetCopyData) X(PQgetResult) X(PQgetisnull) X(PQgetlength) X(PQgetvalue) X(PQhost) X(PQisBusy) X(PQnfields) \
  X(PQnotifies) X(PQntuples) X(PQparamtype) X(PQpipelineSync) X(PQport) X(PQputCopyData) X(PQputCopyEnd) \
  X(PQresultErrorField) X(PQresultErrorMessage) X(PQresultStatus) X(PQsendDescribePrepared) X(PQsendPrepare) \
  X(PQsendQueryParams) X(PQsendQueryPrepared) X(PQsetErrorVerbosity) X(PQsetNoticeReceiver) X(PQsetSingleRowMode) \
  X(PQsetnonblocking) X(PQsocket) X(PQstatus) X(PQtransactionStatus)
// clang-format on

struct postgres_libpq {
#define MEMBER(name) __typeof__(name) *(name);
  POSTGRES_LIBPQ(MEMBER)
#undef MEMBER
};

// Filled by neap__libpq_load, and the same ever after.
extern struct postgres_libpq neap__libpq;

// Loads the library if no connection has been made yet, on whatever thread. Returns 0, or -1 with `e` filled.
int neap__libpq_load(struct neap__error *e);

// clang-format off
#define PQcancel neap__libpq.PQcancel
#define PQclear neap__libpq.PQclear
#define PQcmdStatus neap__libpq.PQcmdStatus
#define PQcmdTuples neap__libpq.PQcmdTuples
#define PQconndefaults neap__libpq.PQconndefaults
#define PQconnectPoll neap__libpq.PQconnectPoll
#define PQconnectStartParams neap__libpq.PQconnectStartParams
#define PQconninfoFree neap__libpq.PQconninfoFree
#define PQconninfoParse neap__libpq.PQconninfoParse
#define PQconsumeInput neap__libpq.PQconsumeInput
#define PQenterPipelineMode neap__libpq.PQenterPipelineMode
#define PQerrorMessage neap__libpq.PQerrorMessage
#define PQexitPipelineMode neap__libpq.PQexitPipelineMode
#define PQfinish neap__libpq.PQfinish
#define PQflush neap__libpq.PQflush
#define PQfname neap__libpq.PQfname
#define PQfreeCancel neap__libpq.PQfreeCancel
#define PQfreemem neap__libpq.PQfreemem
#define PQftype neap__libpq.PQftype
#define PQgetCancel neap__libpq.PQgetCancel
#define PQgetCopyData neap__libpq.PQgetCopyData
#define PQgetResult neap__libpq.PQgetResult
#define PQgetisnull neap__libpq.PQgetisnull
#define PQgetlength neap__libpq.PQgetlength
#define PQgetvalue neap__libpq.PQgetvalue
#define PQhost neap__libpq.PQhost
#define PQisBusy neap__libpq.PQisBusy
#define PQnfields neap__libpq.PQnfields
#define PQnotifies neap__libpq.PQnotifies
#define PQntuples neap__libpq.PQntuples
#define PQparamtype neap__libpq.PQparamtype
#define PQpipelineSync neap__libpq.PQpipelineSync
#define PQport neap__libpq.PQport
#define PQputCopyData neap__libpq.PQputCopyData
#define PQputCopyEnd neap__libpq.PQputCopyEnd
#define PQresultErrorField neap__libpq.PQresultErrorField
#define PQresultErrorMessage neap__libpq.PQresultErrorMessage
#define PQresultStatus neap__libpq.PQresultStatus
#define PQsendDescribePrepared neap__libpq.PQsendDescribePrepared
#define PQsendPrepare neap__libpq.PQsendPrepare
#define PQsendQueryParams neap__libpq.PQsendQueryParams
#define PQsendQueryPrepared neap__libpq.PQsendQueryPrepared
#define PQsetErrorVerbosity neap__libpq.PQsetErrorVerbosity
#define PQsetNoticeReceiver neap__libpq.PQsetNoticeReceiver
#define PQsetSingleRowMode neap__libpq.PQsetSingleRowMode
#define PQsetnonblocking neap__libpq.PQsetnonblocking
#define PQsocket neap__libpq.PQsocket
#define PQstatus neap__libpq.PQstatus
#define PQtransactionStatus neap__libpq.PQtransactionStatus
// clang-format on

#endif
