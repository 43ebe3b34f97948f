internal import GoHubWire

extension DaemonConfiguration {
    /// Allowed but often unintended settings, one or two sentences each: `serve` logs them, `check-config` prints them.
    package var warnings: [String] {
        var warnings: [String] = []
        if !origins.includesSameOrigin {
            warnings.append(
                "origins does not include same-origin, so the hub's own web client cannot connect, unless the list "
                    + "contains the address that it is opened at. Add same-origin if people use that client.")
        }
        return warnings
    }
}
