import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

/// Both databases read entries in this way, from rows that a hub has written or another program has damaged.
struct MessageColumnTests {
    private struct Row: ResultRow {
        var texts: [MessageColumn: String] = [:]
        var integers: [MessageColumn: Int64] = [:]

        func isNull(_ column: MessageColumn) -> Bool { texts[column] == nil && integers[column] == nil }
        func integer(_ column: MessageColumn) -> Int64 { integers[column] ?? 0 }
        func flag(_ column: MessageColumn) -> Bool { integer(column) != 0 }
        func text(_ column: MessageColumn) -> String { texts[column] ?? "" }

        static let message = Row(
            texts: [.id: "c1", .sender: "ada", .senderName: "Ada", .text: "hello"],
            integers: [.offset: -1, .at: 5, .replyTo: 3])

        static let reaction = Row(
            texts: [.id: "c2", .sender: "bob", .text: "", .reaction: "👍"],
            integers: [.offset: 8, .at: 6, .target: 7, .kind: 3, .total: 2])
    }

    @Test func anEntryWithoutATargetIsAMessage() throws {
        let message = try #require(StoredMessage(entry: Row.message))
        // Offsets are stored as signed numbers.
        #expect(message.offset == .max)
        #expect(message.at == WallTime(milliseconds: 5))
        #expect(message.id == CommandID("c1"))
        #expect(message.from.user == UserID("ada"))
        #expect(message.from.name == "Ada")
        #expect(message.text == "hello")
        #expect(message.replyTo == 3)
        #expect(message.content.kind == .plain)
        #expect(StoredMessage(message: Row.message) == message)
    }

    @Test func anEntryWithATargetIsAChange() throws {
        let change = try #require(StoredMessage(entry: Row.reaction))
        let thumb = try #require(Reaction("👍"))
        #expect(change.content.kind == .change(MessageChange(of: 7, .reaction(thumb, isRemoval: false, count: 2))))
        // A user without a name of their own has the id as name.
        #expect(change.from.name == "bob")
        #expect(change.replyTo == nil)
    }

    @Test func aColumnThatIsNullIsLeftOut() throws {
        var row = Row.message
        row.integers[.replyTo] = nil
        row.texts[.senderName] = nil
        let message = try #require(StoredMessage(entry: row))
        #expect(message.replyTo == nil)
        #expect(message.from.name == "ada")
    }

    @Test(arguments: [
        (MessageColumn.id, ""), (.sender, ""), (.amendments, "x"), (.files, "x"), (.files, ""),
    ])
    func aMalformedMessageIsNotRead(_ column: MessageColumn, _ text: String) {
        var row = Row.message
        row.texts[column] = text
        #expect(StoredMessage(entry: row) == nil)
        #expect(StoredMessage(message: row) == nil)
    }

    @Test func aMalformedChangeIsNotRead() {
        var unknown = Row.reaction
        unknown.integers[.kind] = 5
        #expect(StoredMessage(entry: unknown) == nil)
        var empty = Row.reaction
        empty.texts[.reaction] = ""
        #expect(StoredMessage(entry: empty) == nil)
        var nobody = Row.reaction
        nobody.texts[.sender] = ""
        #expect(StoredMessage(entry: nobody) == nil)
    }
}
