import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Cases beyond `RFC7692Tests`.
@Suite struct DeflateNegotiationTests {
    @Test func configurationIsClamped() {
        #expect(
            DeflateConfiguration(windowBits: 8, level: 0, payloadBytesMin: -1)
                == DeflateConfiguration(windowBits: 9, level: 1, payloadBytesMin: 1))
        #expect(DeflateConfiguration(windowBits: 99, level: 99) == DeflateConfiguration(windowBits: 15, level: 9))
    }

    @Test func randomOffersAreReadToTheirEnd() {
        let pieces = [
            "permessage-deflate", ";", ",", "=", "\"", "\\", " ", "client_max_window_bits", "server_max_window_bits",
            "15", "8", "\t", "é",
        ]
        var accepted = 0
        for seed in 0..<20_000 {
            var numbers = SeededRandom(seed: UInt64(seed))
            var offers = ""
            for _ in 0..<numbers.next() % 12 { offers += pieces[Int(numbers.next() % UInt64(pieces.count))] }
            guard let list = ExtensionOffer.list(offers) else { continue }
            let agreed = DeflateParameters.negotiate(offers: list, configuration: DeflateConfiguration())
            if agreed != nil { accepted += 1 }
        }
        #expect(accepted > 100)
    }
}
