import Glibc
import GoHubCore
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubWire

final class WeakBox: @unchecked Sendable { weak var o: AnyObject?; init(_ o: AnyObject) { self.o = o } }

@Suite struct ScratchTests {
    @Test func scratch() async {
        await #expect(processExitsWith: .success) {
            let file = fopen("/tmp/res/scratch.log", "w")
            func say(_ t: String) { fputs(t + "\n", file); fflush(file) }
            var limits = Limits.patient
            limits.textBytesMax = 50_000
            limits.messageBytesMax = 100_000
            limits.heartbeat = 600_000
            for tlsOn in [false, true] {
            try await ServerFixture.run(isTLS: tlsOn, limits: limits, store: InMemoryMessageStore(capacity: .init(messagesPerRoomMax: 2)), configure: { $0.closeTimeout = 300 }) { fixture in
                let reader = try await fixture.join(as: "well")
                var n = 0
                let text = String(repeating: "x", count: 49_000)
                let target = Attack.Target(port: fixture.port, tls: fixture.tlsOptions)
                for _ in 0..<14 {
                    let b = ProcessState.now().heapBytes
                    var peers: [HostilePeer] = []
                    for k in 0..<60 { let p = try target.peer(receiveBytes: 4096); try p.join("lobby", as: "stalled\(k)"); peers.append(p) }
                    var boxes: [WeakBox] = []
                    for i in 0..<2 {
                        boxes += await fixture.server.ask(i, orElse: []) { l in
                            l.connections.values.flatMap { c -> [WeakBox] in
                                var bytes: Int32 = 8192
                                setsockopt(c.descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, 4)
                                return [WeakBox(c)] + (c.session.map { [WeakBox($0)] } ?? [])
                            }
                        }
                    }
                    for _ in 0..<52 {
                        n += 1
                        _ = await fixture.server.publish(text, to: .lobby, from: Member(user: .bob), id: .named("n\(n)"))
                        _ = try await reader.expect("message")
                    }
                    while await fixture.server.statistics().connections != 1 { usleep(1000) }
                    for p in peers { p.end() }
                    peers = []
                    let alive = boxes.count { $0.o != nil }
                    let all = boxes.count
                    boxes = []
                    let a = ProcessState.now().heapBytes
                    say("\(tlsOn): \(a - b) alive \(alive) of \(all)")
                }
                for i in 0..<2 {
                    let t = await fixture.server.ask(i, orElse: "") { l in
                        var out = "\(l.connections.count) \(l.flushList.count) \(l.inputs.count) \(l.actions.count) \(l.answers.count) \(l.fanOut.roomCount)"
                        dump(l.state, to: &out, maxDepth: 3)
                        return out
                    }
                    say(String(t.prefix(6000)))
                }
            }
            }
        }
    }
}
