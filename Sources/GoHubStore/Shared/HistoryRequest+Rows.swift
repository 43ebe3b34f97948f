internal import GoHubCore

extension HistoryRequest {
    /// How many rows are to be asked for: one above the page tells whether there is more.
    var rowsMax: Int64 { Int64(min(max(0, messagesMax), 1_000_000)) + 1 }
}
