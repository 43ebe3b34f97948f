import GoHubTestSupport
import Testing

@testable import GoHubCore

/// The size estimate of an answer must never be less than its bytes.
struct AnswerBytesTests {
    private static let awkward = String(repeating: "\"", count: 64)

    private static let entries: [StoredMessage] = {
        let from = Member(user: .named(String(repeating: "\\", count: 128)), name: awkward)
        let plain = Member(user: .alice)
        func entry(_ text: String, from: Member = from, _ kind: MessageContent.Kind = .plain) -> StoredMessage {
            StoredMessage(
                offset: .max, at: WallTime(milliseconds: .min),
                MessageContent(id: .named(awkward), from: from, text: text, replyTo: .max, kind: kind))
        }
        let tallies = (0..<20).map { number in
            Amendments.Tally(
                .named(String(repeating: "\"", count: 60) + "\(number)"), count: .max,
                users: (0..<5).map { .named(String(repeating: "\"", count: 120) + "\($0)") })
        }
        let mark = Amendments.Mark(offset: .max, at: WallTime(milliseconds: .min))
        return [
            entry(""), entry("hello", from: plain), entry(String(repeating: "\u{1}", count: 8000)),
            entry(String(repeating: "\u{7f}\u{2028}</é👍", count: 500)),
            entry("x", .change(MessageChange(of: .max, .edited))),
            entry("", .change(MessageChange(of: .max, .deleted))),
            entry("", .change(MessageChange(of: .max, .reaction(.named(awkward), isRemoval: true, count: .max)))),
            entry("x", .amended(Amendments(edited: mark, deleted: nil, reactions: tallies))),
            entry("", .amended(Amendments(edited: mark, deleted: mark, reactions: []))),
        ]
    }()

    @Test(arguments: entries) func encodedEntryFitsItsWeight(_ entry: StoredMessage) {
        let head = Position(epoch: Epoch("e"), offset: 1)
        func bytes(_ messages: [StoredMessage]) -> Int {
            let page = HistoryPage(head: head, messages: messages, more: false)
            return EncodedEvent(.page(id: .named("1"), room: .lobby, page)).bytes.count
        }
        let taken = bytes([entry]) - bytes([])
        #expect(taken <= entry.answerBytes)
        #expect(entry.answerBytes <= 2 * taken + 200, "and not much less, or pages would be small")
    }

    /// Changes have no text, and control characters take six bytes.
    @Test func joinAnswerStaysWithinPageBytes() {
        let limits = Limits()
        for text in [String(repeating: "\u{1}", count: 8000), ""] {
            var state = HubState.makeWithMembers(.alice, head: 1)
            for offset: Offset in 2...100 {
                let appendRequest = AppendRequest(
                    requester: .session(1),
                    draft: MessageDraft(
                        room: .lobby, id: .named(Self.awkward), from: Member(user: .alice, name: Self.awkward),
                        receivedAt: .ms(0), text: text))
                _ = state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) }
                _ = state.actions {
                    $0.stored(
                        appendRequest, .stored(Position(epoch: epoch, offset: offset), at: .ms(0)), now: .ms(1000),
                        into: &$1)
                }
            }
            for request in [JoinRequest.make(.number(3), .carol, since: 1), .make(.number(3), .carol, limit: 500)] {
                for case .send(_, .joined(let joined)) in state.actions({
                    $0.joined(request, now: .ms(1000), into: &$1)
                }) {
                    #expect(joined.messages.answerBytes <= limits.pageBytesMax)
                }
            }
        }
    }
}
