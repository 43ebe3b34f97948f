internal import HTTPTypes

extension HTTPField.Name {
    /// A name that the library doesn't define.
    static func literal(_ name: StaticString) -> HTTPField.Name {
        guard let name = HTTPField.Name("\(name)") else {
            preconditionFailure("\(name) is no name of a header field")
        }
        return name
    }

    /// Referrer Policy, section 4.1.
    static let referrerPolicy = literal("Referrer-Policy")
    /// Fetch Metadata, section 2.4.
    static let secFetchSite = literal("Sec-Fetch-Site")
}
