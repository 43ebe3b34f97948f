internal import GoHubCore
internal import GoHubHTTPSyntax
internal import Hummingbird

extension Request {
    /// A parameter of the query, decoded as browsers and their `URLSearchParams` encode it (URL Standard,
    /// "application/x-www-form-urlencoded parsing"): `+` is a space, a plus is `%2B`. The first of several with the
    /// same name.
    ///
    /// - Returns: `nil` for a missing parameter, and an empty text for one without a value.
    /// - Throws: `APIError` for a value that isn't percent-encoded UTF-8, instead of misreading it.
    func query(_ name: String) throws(APIError) -> String? {
        for field in (uri.query ?? "").split(separator: "&") {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard PercentEncoding.decodeForm(parts[0]) == name else { continue }
            guard let value = PercentEncoding.decodeForm(parts.count == 2 ? parts[1] : "") else {
                throw APIError(
                    .badRequest, "`\(name)` in the query is not percent-encoded UTF-8. Write a percent sign as %25.")
            }
            return value
        }
        return nil
    }
}
