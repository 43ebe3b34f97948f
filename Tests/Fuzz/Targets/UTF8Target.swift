@testable import GoHubCore

extension FuzzTarget {
    /// A text in parts. The first byte chooses how the rest is split.
    static let utf8 = FuzzTarget("utf8", bytesMax: 512) { bytes in
        var input = FuzzInput(bytes)
        let cut = input.byte()
        let text = Array(input.rest)
        let isValid = String(validating: text, as: UTF8.self) != nil
        try requireEqual(text.withUnsafeBytes(UTF8Validator.isValid), isValid, "the standard library says the same")
        // At another alignment, because the validator reads words.
        let shifted = [0] + text
        let isShiftedValid = shifted.withUnsafeBytes {
            UTF8Validator.isValid(UnsafeRawBufferPointer(rebasing: $0.dropFirst()))
        }
        try requireEqual(isShiftedValid, isValid, "a text's address doesn't matter")

        var validator = UTF8Validator()
        var taken: [UInt8] = []
        for part in text.parts(cut: cut) {
            guard part.withUnsafeBytes({ validator.accept($0) }) else {
                return try require(!isValid, "a part is refused only if the whole is")
            }
            taken += part
            try requireEqual(
                validator.isComplete, String(validating: taken, as: UTF8.self) != nil,
                "what was taken so far is a text, or one whose last character isn't there yet")
        }
        try requireEqual(validator.isComplete, isValid, "a text is judged alike however it is cut")
    }
}
