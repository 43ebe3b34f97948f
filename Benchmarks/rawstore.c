// The most that a database on this machine stores: batches of rows, one transaction each, and nothing else.
//
//     rawstore sqlite PATH SECONDS BATCH BYTES bare|hub
//     rawstore postgres CONNINFO SECONDS BATCH BYTES bare|hub
//
// `bare` is one table. `hub` writes the same rows as a hub, into tables like the hub's, without looking for repeats:
// the message, the command by which repeats are recognised, and once a batch the room's head. SQLite runs with a
// write-ahead log and a sync at each commit. PostgreSQL is used through libpq in pipeline mode: the next batch is
// sent while the last one is stored. Prints {"rows_per_s": …, "batches": …}.

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH_MAX 10000
#define BYTES_MAX 65536
#define IN_FLIGHT 2
#define STATEMENTS_MAX 5

static void fail(const char *what, const char *why) {
    fprintf(stderr, "rawstore: %s: %s\n", what, why);
    exit(1);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(uint64_t batches, int batch, double seconds) {
    printf("{\"rows_per_s\": %.1f, \"batches\": %llu}\n", (double)batches * batch / seconds, (unsigned long long)batches);
}

// SQLite

static void run(sqlite3 *database, const char *sql) {
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) fail(sql, sqlite3_errmsg(database));
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) fail(sql, sqlite3_errmsg(database));
    return statement;
}

static void step(sqlite3 *database, sqlite3_stmt *statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) fail("insert", sqlite3_errmsg(database));
    sqlite3_reset(statement);
}

static void sqlite_rows(const char *path, double seconds, int batch, const char *text, bool hub) {
    sqlite3 *database;
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (sqlite3_open(path, &database) != SQLITE_OK) fail("open", sqlite3_errmsg(database));
    run(database, "PRAGMA journal_mode = WAL");
    run(database, "PRAGMA synchronous = FULL");
    run(database, "PRAGMA cache_size = -16384");
    run(database, "DROP TABLE IF EXISTS raw; DROP TABLE IF EXISTS command; DROP TABLE IF EXISTS head");
    run(database,
        "CREATE TABLE raw (room INTEGER, \"offset\" INTEGER, id TEXT, sender TEXT, at INTEGER, text TEXT,"
        " PRIMARY KEY (room, \"offset\")) WITHOUT ROWID");
    run(database,
        "CREATE TABLE command (room INTEGER, sender TEXT, id TEXT, \"offset\" INTEGER, at INTEGER, stored_at INTEGER,"
        " PRIMARY KEY (room, sender, id)) WITHOUT ROWID");
    run(database, "CREATE TABLE head (room INTEGER PRIMARY KEY, head INTEGER); INSERT INTO head VALUES (1, 0)");
    sqlite3_stmt *insert = prepare(database, "INSERT INTO raw VALUES (1, ?, ?, 'sender', 1700000000000, ?)");
    sqlite3_stmt *command = prepare(
        database, "INSERT INTO command VALUES (1, 'sender', ?2, ?1, 1700000000000, 1700000000000)");
    sqlite3_stmt *head = prepare(database, "UPDATE head SET head = ? WHERE room = 1");
    int64_t offset = 0;
    uint64_t batches = 0;
    double start = seconds_now(), end = start;
    while (end - start < seconds) {
        run(database, "BEGIN IMMEDIATE");
        for (int row = 0; row < batch; row++) {
            char id[32];
            snprintf(id, sizeof id, "m-%lld", (long long)++offset);
            sqlite3_bind_int64(insert, 1, offset);
            sqlite3_bind_text(insert, 2, id, -1, SQLITE_TRANSIENT);
            sqlite3_bind_text(insert, 3, text, -1, SQLITE_STATIC);
            step(database, insert);
            if (!hub) continue;
            sqlite3_bind_int64(command, 1, offset);
            sqlite3_bind_text(command, 2, id, -1, SQLITE_TRANSIENT);
            step(database, command);
        }
        sqlite3_bind_int64(head, 1, offset);
        if (hub) step(database, head);
        run(database, "COMMIT");
        batches++;
        end = seconds_now();
    }
    report(batches, batch, end - start);
    sqlite3_finalize(insert);
    sqlite3_finalize(command);
    sqlite3_finalize(head);
    sqlite3_close(database);
}

// PostgreSQL

static void command(PGconn *connection, const char *sql) {
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail(sql, PQerrorMessage(connection));
    PQclear(result);
}

// The results of one batch, up to and with its sync.
static void take_batch(PGconn *connection) {
    for (;;) {
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            if (PQstatus(connection) != CONNECTION_OK) fail("result", PQerrorMessage(connection));
            continue;  // Between the results of two commands of a pipeline.
        }
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC) fail("insert", PQresultErrorMessage(result));
        PQclear(result);
        if (status == PGRES_PIPELINE_SYNC) return;
    }
}

// The statements of a batch, in order. All have the same parameters.
static const char *const bare_statements[] = {
    "INSERT INTO raw SELECT 1, \"offset\", id, 'sender', 1700000000000, text"
    " FROM unnest($1::bigint[], $2::text[], $3::text[]) AS row (\"offset\", id, text)",
    NULL,
};
static const char *const hub_statements[] = {
    "BEGIN",
    "WITH row AS MATERIALIZED ("
    "    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]) AS row (\"offset\", id, text)"
    "), noted AS ("
    "    INSERT INTO raw_command SELECT 1, 'sender', id, \"offset\", 1700000000000, 1700000000000 FROM row"
    ") INSERT INTO raw_message SELECT 1, \"offset\", id, 'sender', 1700000000000, text FROM row",
    "UPDATE raw_head SET head = ($1::bigint[])[cardinality($1)] WHERE room = 1",
    "COMMIT",
    NULL,
};

static void make_hub_tables(PGconn *connection) {
    command(connection, "DROP TABLE IF EXISTS raw_message, raw_command, raw_head");
    command(connection,
            "CREATE TABLE raw_message (room bigint, \"offset\" bigint, id text COLLATE \"C\", sender text, at bigint,"
            " text text, PRIMARY KEY (room, \"offset\")) PARTITION BY HASH (room)");
    for (int part = 0; part < 16; part++) {
        char sql[160];
        snprintf(sql, sizeof sql,
                 "CREATE TABLE raw_message_%d PARTITION OF raw_message FOR VALUES WITH (MODULUS 16, REMAINDER %d)", part,
                 part);
        command(connection, sql);
    }
    command(connection,
            "CREATE TABLE raw_command (room bigint, sender text COLLATE \"C\", id text COLLATE \"C\", \"offset\" bigint,"
            " at bigint, stored_at bigint, PRIMARY KEY (room, sender, id))");
    command(connection, "CREATE TABLE raw_head (room bigint PRIMARY KEY, head bigint)");
    command(connection, "INSERT INTO raw_head VALUES (1, 0)");
}

static void postgres_rows(const char *conninfo, double seconds, int batch, const char *text, bool hub) {
    PGconn *connection = PQconnectdb(conninfo);
    if (PQstatus(connection) != CONNECTION_OK) fail("connect", PQerrorMessage(connection));
    command(connection, "SET client_min_messages = error");
    command(connection, "DROP TABLE IF EXISTS raw");
    command(connection,
            "CREATE TABLE raw (room bigint, \"offset\" bigint, id text, sender text, at bigint, text text,"
            " PRIMARY KEY (room, \"offset\"))");
    if (hub) make_hub_tables(connection);
    const char *const *statements = hub ? hub_statements : bare_statements;
    static const char *const names[STATEMENTS_MAX] = {"s0", "s1", "s2", "s3", "s4"};
    int parameters[STATEMENTS_MAX] = {0};
    for (int i = 0; statements[i]; i++) {
        PGresult *prepared = PQprepare(connection, names[i], statements[i], 0, NULL);
        if (PQresultStatus(prepared) != PGRES_COMMAND_OK) fail("prepare", PQerrorMessage(connection));
        PQclear(prepared);
        parameters[i] = strstr(statements[i], "$3") ? 3 : strstr(statements[i], "$1") ? 1 : 0;
    }
    if (!PQenterPipelineMode(connection)) fail("pipeline", PQerrorMessage(connection));

    size_t room = (size_t)batch * (strlen(text) + 32) + 3;
    char *offsets = malloc(room), *ids = malloc(room), *texts = malloc(room);
    if (!offsets || !ids || !texts) fail("malloc", "no memory");
    long long offset = 0;
    uint64_t sent = 0, stored = 0;
    double start = seconds_now(), end = start;
    while (end - start < seconds) {
        char *o = offsets, *i = ids, *t = texts;
        for (int row = 0; row < batch; row++) {
            const char *before = row == 0 ? "{" : ",";
            offset++;
            o += sprintf(o, "%s%lld", before, offset);
            i += sprintf(i, "%sm-%lld", before, offset);
            t += sprintf(t, "%s%s", before, text);
        }
        strcpy(o, "}");
        strcpy(i, "}");
        strcpy(t, "}");
        const char *values[] = {offsets, ids, texts};
        for (int s = 0; statements[s]; s++) {
            if (!PQsendQueryPrepared(connection, names[s], parameters[s], values, NULL, NULL, 0)) {
                fail("send", PQerrorMessage(connection));
            }
        }
        if (!PQpipelineSync(connection)) fail("send", PQerrorMessage(connection));
        sent++;
        if (sent - stored >= IN_FLIGHT) {
            take_batch(connection);
            stored++;
        }
        end = seconds_now();
    }
    report(stored, batch, end - start);
    PQfinish(connection);
    free(offsets);
    free(ids);
    free(texts);
}

int main(int count, char **arguments) {
    if (count != 7) fail("usage", "rawstore sqlite|postgres PATH|CONNINFO SECONDS BATCH BYTES bare|hub");
    double seconds = atof(arguments[3]);
    int batch = atoi(arguments[4]), bytes = atoi(arguments[5]);
    if (seconds <= 0 || seconds > 60 || batch < 1 || batch > BATCH_MAX || bytes < 1 || bytes > BYTES_MAX) {
        fail("usage", "0–60 seconds, 1–10000 rows of 1–65536 bytes");
    }
    bool hub = strcmp(arguments[6], "hub") == 0;
    char *text = malloc((size_t)bytes + 1);
    if (!text) fail("malloc", "no memory");
    memset(text, 'x', (size_t)bytes);
    text[bytes] = 0;
    if (strcmp(arguments[1], "sqlite") == 0) {
        sqlite_rows(arguments[2], seconds, batch, text, hub);
    } else {
        postgres_rows(arguments[2], seconds, batch, text, hub);
    }
    free(text);
}
