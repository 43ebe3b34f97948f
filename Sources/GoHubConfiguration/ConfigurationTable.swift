/// The keys in the form of the table in `Docs/Configuration.md`.
package enum ConfigurationTable {
    /// The whole table in Markdown, with its head and a final newline.
    package static func markdown() -> String {
        var lines = ["| Key | Must be | Default | Meaning |", "|---|---|---|---|"]
        for key in ConfigurationKey.all {
            let standard = key.defaultValue.map { "`\(key.shown($0))`" } ?? "–"
            lines.append(
                "| `\(key.name)` | \(escaped(key.allowed)) | \(standard == "`(none)`" ? "–" : standard) "
                    + "| \(escaped(key.meaning)) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A cell can't contain a bar, and an asterisk would begin emphasis.
    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { escaped, character in
            if character == "|" || character == "*" { escaped.append("\\") }
            escaped.append(character)
        }
    }
}
