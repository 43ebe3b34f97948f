internal import GoHubCore

extension HistoryRequest {
    /// The number of rows to request: one more than the page, which reveals whether there is more.
    var rowsMax: Int64 { Int64(min(max(0, messagesMax), 1_000_000)) + 1 }
}
