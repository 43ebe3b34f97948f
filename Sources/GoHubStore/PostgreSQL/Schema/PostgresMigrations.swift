/// The statements of each migration, in order.
///
/// Frozen text: a released migration is never changed and uses no definitions from elsewhere. A newer version's
/// changes, such as to a function, are in a new migration.
///
/// Hubs of the release before run on the new tables for a while. So a migration only adds; what it replaces is removed
/// by a migration of the next release (`CONTRIBUTING.md`).
enum PostgresMigrations {
    /// For each version the oldest one whose hubs can use its tables. Those before 8 accept only their own.
    static let readableFrom = [8: 8, 9: 8]

    /// The first migration takes a database without tables from version 0 to version 1.
    static let all: [[String]] = [
        [
            """
            CREATE TABLE gohub_database (
                is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
                epoch text COLLATE "C" NOT NULL
            )
            """,
            "INSERT INTO gohub_database (epoch) VALUES (left(replace(gen_random_uuid()::text, '-', ''), 16))",
            """
            CREATE TABLE gohub_room (
                number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                tenant text COLLATE "C" NOT NULL,
                name text COLLATE "C" NOT NULL,
                epoch text COLLATE "C" NOT NULL,
                head bigint NOT NULL,
                UNIQUE (tenant, name)
            ) WITH (fillfactor = 50)
            """,
            """
            CREATE TABLE gohub_message (
                room bigint NOT NULL,
                "offset" bigint NOT NULL,
                id text COLLATE "C" NOT NULL,
                sender text COLLATE "C" NOT NULL,
                sender_name text COLLATE "C",
                at bigint NOT NULL,
                text text COLLATE "C" NOT NULL,
                reply_to bigint,
                PRIMARY KEY (room, "offset")
            ) PARTITION BY HASH (room)
            """,
        ]
            + (0..<16).map { part in
                """
                CREATE TABLE gohub_message_\(part) PARTITION OF gohub_message
                FOR VALUES WITH (MODULUS 16, REMAINDER \(part))
                """
            }
            + [
                """
                CREATE TABLE gohub_command (
                    room bigint NOT NULL,
                    sender text COLLATE "C" NOT NULL,
                    id text COLLATE "C" NOT NULL,
                    "offset" bigint NOT NULL,
                    at bigint NOT NULL,
                    stored_at bigint NOT NULL,
                    PRIMARY KEY (room, sender, id)
                ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)
                """,
                "CREATE INDEX gohub_command_by_age ON gohub_command (stored_at)",
            ],
        [
            """
            CREATE TABLE gohub_receipt (
                room bigint NOT NULL,
                reader text COLLATE "C" NOT NULL,
                tenant text COLLATE "C" NOT NULL,
                delivered bigint NOT NULL,
                seen bigint NOT NULL,
                PRIMARY KEY (room, reader)
            ) WITH (fillfactor = 50)
            """,
            "CREATE INDEX gohub_receipt_by_reader ON gohub_receipt (tenant, reader)",
        ],
        [
            // Without a default, no row is rewritten.
            "ALTER TABLE gohub_message ADD COLUMN amendments text COLLATE \"C\"",
            """
            CREATE TABLE gohub_fact (
                room bigint NOT NULL,
                "offset" bigint NOT NULL,
                id text COLLATE "C" NOT NULL,
                sender text COLLATE "C" NOT NULL,
                sender_name text COLLATE "C",
                at bigint NOT NULL,
                target bigint NOT NULL,
                kind bigint NOT NULL,
                reaction text COLLATE "C" NOT NULL,
                total bigint NOT NULL,
                number bigint NOT NULL,
                PRIMARY KEY (room, "offset")
            )
            """,
            """
            CREATE TABLE gohub_reaction (
                room bigint NOT NULL,
                target bigint NOT NULL,
                sender text COLLATE "C" NOT NULL,
                reaction text COLLATE "C" NOT NULL,
                PRIMARY KEY (room, target, sender, reaction)
            )
            """,
            appendNew1,
        ],
        ["DROP INDEX IF EXISTS gohub_command_by_age"],
        [
            """
            CREATE TABLE gohub_upload (
                id text COLLATE "C" PRIMARY KEY,
                tenant text COLLATE "C" NOT NULL,
                room text COLLATE "C" NOT NULL,
                owner text COLLATE "C" NOT NULL,
                command text COLLATE "C" NOT NULL,
                name text COLLATE "C" NOT NULL,
                declared_type text COLLATE "C" NOT NULL,
                size bigint NOT NULL,
                hash text COLLATE "C",
                touched_at bigint NOT NULL,
                claim text COLLATE "C",
                UNIQUE (tenant, room, owner, command)
            )
            """,
            "CREATE INDEX gohub_upload_by_age ON gohub_upload (touched_at)",
            """
            CREATE TABLE gohub_file (
                id text COLLATE "C" PRIMARY KEY,
                tenant text COLLATE "C" NOT NULL,
                room text COLLATE "C" NOT NULL,
                owner text COLLATE "C" NOT NULL,
                command text COLLATE "C" NOT NULL,
                name text COLLATE "C" NOT NULL,
                type text COLLATE "C" NOT NULL,
                size bigint NOT NULL,
                blob text COLLATE "C" NOT NULL,
                created_at bigint NOT NULL,
                width bigint,
                height bigint,
                placeholder text COLLATE "C",
                has_preview bigint,
                uses bigint NOT NULL,
                unused_since bigint NOT NULL,
                UNIQUE (tenant, room, owner, command)
            )
            """,
            "CREATE INDEX gohub_file_unused ON gohub_file (unused_since) WHERE uses = 0",
            """
            CREATE TABLE gohub_message_file (
                room bigint NOT NULL,
                "offset" bigint NOT NULL,
                file text COLLATE "C" NOT NULL,
                PRIMARY KEY (room, "offset", file)
            )
            """,
            """
            CREATE TABLE gohub_blob (
                hash text COLLATE "C" PRIMARY KEY,
                origin text COLLATE "C" NOT NULL,
                uses bigint NOT NULL
            )
            """,
            "CREATE INDEX gohub_blob_unused ON gohub_blob (hash) WHERE uses <= 0",
            """
            CREATE TABLE gohub_file_usage (
                tenant text COLLATE "C" NOT NULL,
                owner text COLLATE "C" NOT NULL,
                bytes bigint NOT NULL,
                uploads bigint NOT NULL,
                PRIMARY KEY (tenant, owner)
            ) WITH (fillfactor = 50)
            """,
        ],
        // Without a default, no row is rewritten.
        ["ALTER TABLE gohub_message ADD COLUMN files text COLLATE \"C\""],
        [
            """
            CREATE TABLE gohub_sanction (
                tenant text COLLATE "C" NOT NULL,
                room text COLLATE "C" NOT NULL,
                target text COLLATE "C" NOT NULL,
                is_ban boolean NOT NULL,
                until bigint NOT NULL,
                PRIMARY KEY (tenant, room, target)
            )
            """,
            "CREATE INDEX gohub_sanction_by_end ON gohub_sanction (until)",
            // Constant defaults: no row is rewritten.
            """
            ALTER TABLE gohub_receipt ADD COLUMN is_followed boolean NOT NULL DEFAULT true,
                ADD COLUMN followed_at bigint NOT NULL DEFAULT 0
            """,
        ],
        [
            "ALTER TABLE gohub_schema ADD COLUMN readable_from integer",
            // One row: 128 bits of two random UUIDs, which have 122 each.
            """
            ALTER TABLE gohub_database ADD COLUMN timeline text COLLATE "C",
                ADD COLUMN placement_key bytea NOT NULL DEFAULT
                    substr(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 1, 16)
            """,
            """
            CREATE TABLE gohub_node (
                name text COLLATE "C" PRIMARY KEY,
                incarnation bigint NOT NULL,
                lease_end bigint NOT NULL,
                started bigint NOT NULL,
                version text COLLATE "C" NOT NULL,
                url text COLLATE "C",
                is_draining boolean NOT NULL,
                is_bus_healthy boolean,
                bus_id text COLLATE "C"
            ) WITH (fillfactor = 50)
            """,
        ],
        [
            """
            CREATE TABLE gohub_direct_news (
                transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
                number bigint GENERATED ALWAYS AS IDENTITY,
                origin bigint NOT NULL,
                tenant text COLLATE "C" NOT NULL,
                name text COLLATE "C" NOT NULL,
                epoch text COLLATE "C" NOT NULL,
                first bigint NOT NULL,
                last bigint NOT NULL,
                at bigint NOT NULL,
                PRIMARY KEY (transaction, number)
            ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)
            """
        ],
    ]

    /// Stores drafts that are all new, and reports whether they were: if not, nothing is stored. A function, because
    /// only a function can detect a repetition by the key's error without failing the transaction and writing to the
    /// server's log. Looking up every draft first, and inserting with conflict handling, takes twice the time.
    ///
    /// $1 and $2 are the rooms, whose rows are locked. $3 is each draft's index among them, $4 its rank among the
    /// drafts of its room. Then follow sender, id, the sender's name, time, text and the replied offset. $11 is now.
    private static let appendNew1 = """
        CREATE FUNCTION gohub_append_new(
            text[], text[], bigint[], bigint[], text[], text[], text[], bigint[], text[], bigint[], bigint
        ) RETURNS boolean LANGUAGE plpgsql AS $body$
        BEGIN
            WITH wanted AS MATERIALIZED (
                SELECT wanted.place, room.number, room.head
                FROM unnest($1, $2) WITH ORDINALITY AS wanted (tenant, name, place)
                JOIN gohub_room room ON room.tenant = wanted.tenant AND room.name = wanted.name
            ), draft AS MATERIALIZED (
                SELECT draft.*, wanted.number, wanted.head + draft.rank AS "offset"
                FROM unnest($3, $4, $5, $6, $7, $8, $9, $10)
                    AS draft (room, rank, sender, id, sender_name, at, text, reply_to)
                JOIN wanted ON wanted.place = draft.room
            ), stored AS (
                INSERT INTO gohub_message (room, "offset", id, sender, sender_name, at, text, reply_to)
                SELECT number, "offset", id, sender, sender_name, at, text, reply_to FROM draft
            ), noted AS (
                INSERT INTO gohub_command (room, sender, id, "offset", at, stored_at)
                SELECT number, sender, id, "offset", at, $11 FROM draft
            )
            UPDATE gohub_room SET head = newest."offset"
            FROM (SELECT number, max("offset") AS "offset" FROM draft GROUP BY number) newest
            WHERE gohub_room.number = newest.number;
            RETURN true;
        EXCEPTION WHEN unique_violation THEN
            RETURN false;
        END
        $body$
        """
}
