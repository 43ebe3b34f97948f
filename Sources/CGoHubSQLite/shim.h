#ifndef GOHUB_SQLITE_SHIM_H
#define GOHUB_SQLITE_SHIM_H

#include <sqlite3.h>

// SQLITE_TRANSIENT is a cast that Swift doesn't import: the bytes are copied before the call returns.
static inline int gohub_sqlite3_bind_text(sqlite3_stmt *statement, int index, const char *text, sqlite3_uint64 count) {
    return sqlite3_bind_text64(statement, index, text, count, SQLITE_TRANSIENT, SQLITE_UTF8);
}

// The variadic sqlite3_config and sqlite3_db_config aren't imported. 1 turns the checks on, 0 off.
static inline int gohub_sqlite3_set_defensive(sqlite3 *connection) {
    return sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
}

#endif
