internal import GoHubWire

extension DaemonConfiguration {
    /// What is allowed and often not meant, a sentence or two each: `serve` logs it, `check-config` prints it.
    package var warnings: [String] {
        var warnings: [String] = []
        if !origins.includesSameOrigin {
            warnings.append(
                "origins doesn't include same-origin: the page that the hub serves itself can't connect, unless the list "
                    + "names the address that it is opened at. Add same-origin if people are to use that page.")
        }
        return warnings
    }
}
