/// Code that parses untrusted bytes, and the properties that must hold for every input.
///
/// libFuzzer runs it on millions of inputs (`make fuzz`), and the ordinary tests on every file of its corpus.
struct FuzzTarget: Sendable {
    /// Throws `BrokenPromise` where a property doesn't hold.
    enum Check: Sendable {
        case now(@Sendable ([UInt8]) throws -> Void)
        case later(@Sendable ([UInt8]) async throws -> Void)
    }

    /// Also the name of its folder in `Corpus`, and of its file in `Dictionaries`, if it has one.
    let name: String
    /// Longer inputs find nothing more.
    let bytesMax: Int
    let check: Check

    init(_ name: String, bytesMax: Int, _ check: @escaping @Sendable ([UInt8]) throws -> Void) {
        self.name = name
        self.bytesMax = bytesMax
        self.check = .now(check)
    }

    init(_ name: String, bytesMax: Int, _ check: @escaping @Sendable ([UInt8]) async throws -> Void) {
        self.name = name
        self.bytesMax = bytesMax
        self.check = .later(check)
    }

    static let all: [FuzzTarget] = [
        requestHead, chunkedBody, frames, messages, utf8, deflate, commands, session, token, keySet, pem, names,
        proxyHeader,
        configuration, files,
        busFrames, resp, redisDialogues, redisNames,
    ]
}

/// A property that doesn't hold for an input.
struct BrokenPromise: Error, CustomStringConvertible {
    let description: String
}

/// Throws when a property doesn't hold.
///
/// - Parameter promise: the property, as a sentence.
func require(_ holds: @autoclosure () throws -> Bool, _ promise: @autoclosure () -> String) throws {
    guard try holds() else { throw BrokenPromise(description: "broken: \(promise())") }
}

/// Throws if two ways to the same result differ.
func requireEqual<Value: Equatable>(_ one: Value, _ other: Value, _ promise: String) throws {
    guard one == other else {
        throw BrokenPromise(description: "broken: \(promise)\n  one:   \(one)\n  other: \(other)")
    }
}
