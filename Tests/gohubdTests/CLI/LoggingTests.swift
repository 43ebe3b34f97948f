import GoHubCore
import Logging
import Synchronization
import Testing

@testable import gohubd

@Suite struct LoggingTests {
    private final class Lines: Sendable {
        let text = Mutex("")
    }

    @Test func aLineIsOneJSONObjectWhateverIsInIt() {
        let lines = Lines()
        var logger = Logger(label: "gohubd") { label in
            JSONLogHandler(label: label, now: { WallTime(milliseconds: 5) }) { line in
                lines.text.withLock { $0 += line }
            }
        }
        logger[metadataKey: "node"] = "n1"
        logger.info(
            "said \"hi\"\n{\u{0}}",
            metadata: ["user": "a\\b\u{7F}", "list": ["1", .stringConvertible(2)], "more": ["k": "v"]])
        logger.debug("not at this level")
        #expect(
            lines.text.withLock { $0 }
                == #"{"time":5,"level":"info","logger":"gohubd","message":"said \"hi\"\n{\u0000}","metadata":"#
                + #"{"list":["1","2"],"more":{"k":"v"},"node":"n1","user":"a\\b\u007f"}}"# + "\n")
    }

    @Test func aQuietedLoggerStaysQuietWhereItWas() {
        var logger = Logger(label: "test")
        logger.logLevel = .debug
        #expect(logger.quieted(to: .warning).logLevel == .warning)
        logger.logLevel = .error
        #expect(logger.quieted(to: .warning).logLevel == .error)
    }
}
