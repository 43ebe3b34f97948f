import GoHubCore
import GoHubTestSupport
import Testing

/// The shape that all errors with a code share.
struct CodedErrorTests {
    private struct Foreign: Error, CustomStringConvertible {
        let description = "postgres://hub:hush@db"
    }

    @Test func underlyingErrorIsNeitherComparedNorPrinted() {
        let error = TokenError(.expired, "The token has expired. Get a new one.", underlying: Foreign())
        #expect(error == TokenError(.expired, "The token has expired. Get a new one."))
        #expect(error.hashValue == TokenError(.expired, "The token has expired. Get a new one.").hashValue)
        #expect(error != TokenError(.expired, "Another."))
        #expect(error != TokenError(.malformed, "The token has expired. Get a new one."))
        #expect(error.underlying is Foreign)
        #expect("\(error)" == "The token has expired. Get a new one.")
        #expect(error.logText == "(expired): The token has expired. Get a new one.")
    }

    @Test func fileErrorIsLoggedAsItsStoreError() {
        let error = FileError.unavailable(StoreError(.full, "No space is left. Free some."))
        #expect(error.logText == "(full): No space is left. Free some.")
        #expect("\(error)" == "The file store is unavailable. Try again later.")
        #expect(FileError.busy.logText == "(busy): The file store is busy. Try again shortly.")
    }

    @Test func foreignErrorIsNotLogged() {
        #expect(
            FileError.unavailable(Foreign()).logText
                == "(unavailable): The file store is unavailable. Try again later.")
        #expect(StoreError(.timeout, "No answer.", underlying: Foreign()).logText == "(timeout): No answer.")
    }

    @Test func fileErrorsDifferByOffset() {
        #expect(FileError.wrongOffset(expected: 3) == .wrongOffset(expected: 3))
        let other = FileError(.wrongOffset, "The upload continues at byte 3.", expectedOffset: 4)
        #expect(FileError.wrongOffset(expected: 3) != other)
        #expect(Set([FileError.wrongOffset(expected: 3), .wrongOffset(expected: 3), other]).count == 2)
    }
}
