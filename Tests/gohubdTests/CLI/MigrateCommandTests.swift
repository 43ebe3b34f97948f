import Glibc
import Testing

@testable import GoHubStore
@testable import gohubd

/// `gohubd migrate` and what a start does about an older schema, on SQLite; GoHubStoreTests has PostgreSQL.
@Suite(.serialized) struct MigrateCommandTests {
    private func migrate(_ store: String, _ flags: String...) throws -> (code: Int32, output: String, errors: String) {
        try GohubdProcess(["migrate", "--store", store] + flags).finish()
    }

    @Test func checkChangesNothing() throws {
        let files = try TemporaryFiles()
        let path = "\(files.directory)/hub.sqlite"
        let (code, output, _) = try migrate("sqlite:\(path)", "--check")
        #expect(code == 3)
        #expect(
            output == """
                store: sqlite:\(path)
                schema found: none
                schema wanted: \(SQLiteSchema.version)
                It must be migrated: run `gohubd migrate`, or start the hub with store.migrate set to auto.

                """)
        #expect(access(path, F_OK) != 0)
    }

    @Test func migrationIsDoneOnce() throws {
        let files = try TemporaryFiles()
        let store = "sqlite:\(files.directory)/hub.sqlite"
        let first = try migrate(store)
        #expect(first.code == 0)
        #expect(first.output.hasSuffix("schema found: none\nschema wanted: \(SQLiteSchema.version)\nMigrated.\n"))
        for flags in [[], ["--check"]] {
            let (code, output, _) = try GohubdProcess(["migrate", "--store", store] + flags).finish()
            #expect(code == 0)
            #expect(
                output.hasSuffix(
                    "schema found: \(SQLiteSchema.version)\nschema wanted: \(SQLiteSchema.version)\nThere is nothing to do.\n"
                ))
        }
    }

    @Test func newerSchemaHasItsOwnExitCode() throws {
        let files = try TemporaryFiles()
        let path = "\(files.directory)/hub.sqlite"
        _ = try migrate("sqlite:\(path)")
        try SQLiteConnection(path: path).execute("PRAGMA user_version = 99")
        let check = try migrate("sqlite:\(path)", "--check")
        #expect(check.code == 4)
        #expect(check.output.contains("for versions with schema 99 or later"))
        let (code, output, errors) = try migrate("sqlite:\(path)")
        #expect(code == 1)
        #expect(output.isEmpty)
        #expect(
            errors.hasPrefix(
                "gohubd: Cannot migrate the store (incompatible): \(path) was written by a newer version of GoHub"))
    }

    @Test func storeThatCannotBeOpenedIsExitCode1() throws {
        let (code, _, errors) = try migrate("postgres://hub:hush@127.0.0.1:1/hub", "--set", "postgres.deadlineMs=1000")
        #expect(code == 2, "a password isn't taken from the command line")
        #expect(!errors.contains("hush"))
        let unreachable = try migrate("postgres://hub@127.0.0.1:1/hub")
        #expect(unreachable.code == 1)
        #expect(unreachable.errors.hasPrefix("gohubd: Cannot migrate the store (unavailable): PostgreSQL: "))
    }

    @Test func memoryHasNoSchema() throws {
        let (code, output, _) = try migrate("memory", "--check")
        #expect(code == 0)
        #expect(output == "store: memory\nThe store has no schema. There is nothing to do.\n")
    }

    @Test func startRefusesOlderSchemaWhereMigrationIsOff() throws {
        let files = try TemporaryFiles()
        let path = "\(files.directory)/hub.sqlite"
        let serve = ["serve", "--listen", "127.0.0.1:0", "--store", "sqlite:\(path)", "--set", "store.migrate=never"]
        let (code, output, errors) = try GohubdProcess(serve).finish()
        #expect(code == 1)
        #expect(output.isEmpty)
        #expect(
            errors
                == "gohubd: Cannot open the store (incompatible): \(path) has schema 0, and this version needs schema "
                + "\(SQLiteSchema.version). Run `gohubd migrate`, or set store.migrate to auto.\n")
        #expect(try migrate("sqlite:\(path)").code == 0)
        let hub = try GohubdProcess(serve)
        _ = try hub.waitFor("To leave this mode")
        hub.signal(SIGTERM)
        #expect(hub.finish().code == 0)
    }

    // MARK: The cluster

    @Test(arguments: ["memory", "sqlite:hub.sqlite"]) func clusterNeedsPostgreSQL(_ store: String) throws {
        for command in [["serve", "--listen", "127.0.0.1:0"], ["check-config"]] {
            let (code, output, errors) = try GohubdProcess(
                command + ["--store", store, "--set", "cluster.enabled=true"]
            ).finish()
            #expect(code == 2)
            #expect(output.isEmpty)
            #expect(
                errors == "gohubd: cluster.enabled is set, but the store is \(store), which only one hub can use. Set "
                    + "store to postgres:URL, the same on all hubs, or remove cluster.enabled.\n")
        }
    }

    /// A hub that has no name yet accepts nobody, and can be stopped.
    @Test func hubWithoutDatabaseWaitsForItsName() throws {
        let hub = try GohubdProcess([
            "serve", "--listen", "127.0.0.1:0", "--store", "postgres://hub@127.0.0.1:1/hub", "--set",
            "cluster.enabled=true", "--set", "postgres.deadlineMs=200",
        ])
        var log = try hub.waitFor("the lease in the cluster could not be renewed")
        hub.signal(SIGTERM)
        let (code, _, errors) = hub.finish()
        log += errors
        #expect(code == 0)
        #expect(!log.contains("listen="), "it has not started")
    }
}
