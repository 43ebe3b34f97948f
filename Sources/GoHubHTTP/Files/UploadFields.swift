internal import GoHubCore
internal import HTTPTypes
internal import Hummingbird

extension HTTPField.Name {
    static let uploadDraftInteropVersion = literal("Upload-Draft-Interop-Version")
    static let uploadComplete = literal("Upload-Complete")
    /// The predecessor of `Upload-Complete` until interop version 4, with the inverse meaning.
    static let uploadIncomplete = literal("Upload-Incomplete")
    static let uploadOffset = literal("Upload-Offset")
    static let uploadLength = literal("Upload-Length")
    static let uploadLimit = literal("Upload-Limit")
    static let acceptPatch = literal("Accept-Patch")
}

/// The header fields of a resumable upload's request (draft-ietf-httpbis-resumable-upload-10).
///
/// Each is an item of Structured Fields (RFC 9651); one of the wrong type is ignored, as the draft requires.
struct UploadFields {
    static let partialUpload = "application/partial-upload"

    /// The client's draft version, if it states a known one. Only then it gets interim responses (Appendix "Draft
    /// Version Identification"); the rest of the protocol is for everybody.
    let interopVersion: Int?
    let isComplete: Bool?
    let offset: UInt64?
    let length: UInt64?
    /// `Content-Length`: the size of this request's body.
    let contentLength: UInt64?

    /// 8 is the current one. 3 is used by the first systems with built-in resumable uploads.
    private static let interopVersions: Set = [3, 5, 6, 7, 8]

    init(_ fields: HTTPFields) {
        let version = fields[.uploadDraftInteropVersion].flatMap { Self.integer($0) }.flatMap { Int(exactly: $0) }
        interopVersion = version.flatMap { Self.interopVersions.contains($0) ? $0 : nil }
        if interopVersion == 3 {
            isComplete = fields[.uploadIncomplete].flatMap { Self.boolean($0) }.map { !$0 }
        } else {
            isComplete = fields[.uploadComplete].flatMap { Self.boolean($0) }
        }
        offset = fields[.uploadOffset].flatMap { Self.integer($0) }
        length = fields[.uploadLength].flatMap { Self.integer($0) }
        contentLength = fields[.contentLength].flatMap { Self.integer($0) }
    }

    /// The size of the whole file in bytes, as stated by this request (section "Length"), if it begins at an offset.
    ///
    /// - Throws: `APIError` if it states two different sizes.
    func size(from offset: UInt64) throws -> UInt64? {
        // A request without any field of the draft is the whole upload.
        guard isComplete ?? true, let contentLength else { return length }
        let (size, overflow) = offset.addingReportingOverflow(contentLength)
        guard !overflow, length.map({ $0 == size }) ?? true else { throw Self.inconsistentLength }
        return size
    }

    static let inconsistentLength = APIError(
        .badRequest, "The stated lengths contradict each other or an earlier request.")

    /// - Parameter isComplete: whether the upload is a file, or about to be.
    static func response(offset: UInt64, isComplete: Bool, to request: UploadFields) -> HTTPFields {
        var fields: HTTPFields = [.uploadOffset: "\(offset)", .cacheControl: "no-store"]
        if let version = request.interopVersion { fields[.uploadDraftInteropVersion] = "\(version)" }
        if request.interopVersion == 3 {
            fields[.uploadIncomplete] = isComplete ? "?0" : "?1"
        } else {
            fields[.uploadComplete] = isComplete ? "?1" : "?0"
        }
        return fields
    }

    // MARK: Structured Fields

    /// At most 15 digits (RFC 9651, section 3.3.1); negative values have no meaning here.
    private static func integer(_ text: String) -> UInt64? {
        let digits = text.utf8
        guard (1...15).contains(digits.count),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return UInt64(text)
    }

    /// Section 3.3.6.
    private static func boolean(_ text: String) -> Bool? {
        switch text {
        case "?1": true
        case "?0": false
        default: nil
        }
    }
}
