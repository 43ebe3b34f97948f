import Testing

@testable import GoHubWire

/// RFC 7692, sections 5 and 7.1; the grammar is RFC 6455's, section 9.1.
@Suite struct DeflateNegotiationTests {
    private static let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    private func answer(_ offers: String, windowBits: Int = 15) -> String? {
        DeflateParameters.negotiate(offers: offers, configuration: DeflateConfiguration(windowBits: windowBits))?
            .fieldValue
    }

    @Test(arguments: [
        "permessage-deflate", "permessage-deflate; client_max_window_bits",
        "permessage-deflate;client_max_window_bits=8", "permessage-deflate; client_max_window_bits=\"15\"",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "Permessage-Deflate ; Server_No_Context_Takeover", " , permessage-deflate,",
        "x-webkit-deflate-frame, permessage-deflate", "foo; bar=\"baz\", permessage-deflate",
        "permessage-deflate; unknown, permessage-deflate",
        "permessage-deflate; server_max_window_bits=9, permessage-deflate",
    ])
    func accepted(_ offers: String) {
        #expect(answer(offers) == Self.plain)
    }

    @Test(arguments: [
        "", " ", ",,,", "x-webkit-deflate-frame", "permessage-deflate2", "permessage-deflate; unknown",
        "permessage-deflate; unknown=1", "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16", "permessage-deflate; server_max_window_bits=015",
        "permessage-deflate; server_max_window_bits=-1", "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=99999999999999999999999",
        "permessage-deflate; client_max_window_bits=7", "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=09", "permessage-deflate; client_max_window_bits=\"\"",
        "permessage-deflate; client_max_window_bits=\"15", "permessage-deflate; client_max_window_bits=\"1 5\"",
        "permessage-deflate; client_max_window_bits=\"15\\", "permessage-deflate; client_max_window_bits=15 15",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; SERVER_NO_CONTEXT_TAKEOVER",
        "permessage-deflate;", "permessage-deflate;;", "permessage-deflate; =", "permessage-deflate =15",
        "; permessage-deflate", "\"permessage-deflate\"", "=", "\"", "\\", "permessage-deflate\u{0}",
    ])
    func declined(_ offers: String) {
        #expect(answer(offers) == nil)
    }

    @Test func theServersWindow() {
        #expect(
            answer("permessage-deflate; server_max_window_bits=15") == Self.plain + "; server_max_window_bits=15")
        #expect(
            answer("permessage-deflate; server_max_window_bits=12", windowBits: 12)
                == Self.plain + "; server_max_window_bits=12")
        #expect(
            answer("permessage-deflate; server_max_window_bits=\"1\\4\"", windowBits: 11)
                == Self.plain + "; server_max_window_bits=11")
        #expect(answer("permessage-deflate; server_max_window_bits=10", windowBits: 11) == nil)
        // Not asked for, not told.
        #expect(answer("permessage-deflate", windowBits: 11) == Self.plain)
        // zlib has no raw DEFLATE of 8 bits, whatever the configuration says.
        #expect(answer("permessage-deflate; server_max_window_bits=8", windowBits: 8) == nil)
    }

    @Test func theFirstOfferThatCanBeMetIsTaken() {
        #expect(
            answer("permessage-deflate; server_max_window_bits=10, permessage-deflate; server_max_window_bits=15")
                == Self.plain + "; server_max_window_bits=15")
    }

    @Test func configurationsAreBroughtIntoRange() {
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
            var numbers = SeededNumbers(seed: UInt64(seed))
            var offers = ""
            for _ in 0..<numbers.next() % 12 { offers += pieces[Int(numbers.next() % UInt64(pieces.count))] }
            if answer(offers) != nil { accepted += 1 }
        }
        #expect(accepted > 100)
    }
}
