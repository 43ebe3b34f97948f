import Crypto
import Testing

@testable import GoHubStore

@Suite struct MigrationTests {
    private func digest(_ text: String) -> String {
        SHA256.hash(data: Array(text.utf8)).prefix(8).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    /// A new migration adds a line here. Existing lines never change.
    @Test func releasedMigrationsOfPostgreSQLNeverChange() {
        #expect(
            PostgresMigrations.all.map { digest($0.joined(separator: ";\n")) } == [
                "f2bbe63d4e361ea0", "642c1844c4b513e1", "c79e151011a7891e", "44d61afb3bc977cb", "ab04485b8352ff5e",
                "76130d62026b755e", "e2cd715cfa5a174b", "cf89417ca6be8a7c", "d9b5d87edbe16431",
            ])
    }

    @Test func releasedMigrationsOfSQLiteNeverChange() {
        #expect(
            SQLiteSchema.migrations.map { digest($0) } == [
                "2a382df413f5dc00", "723e34756cc80b16", "461761392c4b7eed", "31d32de5901f7ab5", "f80858a40ee58006",
                "ebadf244b8db843f",
            ])
    }
}
