internal import GoHubCore

extension StoreError.Code {
    /// - Parameter sqlState: the server's five-character code (PostgreSQL documentation, appendix A); empty for libpq's
    ///   own errors.
    init(sqlState: String) {
        self =
            switch sqlState {
            // Query cancelled, as by statement_timeout; lock not available; timeouts of the session.
            case "57014", "55P03", "25P03", "57P05": .timeout
            case "53100": .full
            case "58030": .inputOutput
            case "42501": .denied
            // Unknown database, unknown schema.
            case "3D000", "3F000": .incompatible
            default:
                switch sqlState.prefix(2) {
                // Invalid value, violated constraint.
                case "22", "23": .invalid
                case "28": .denied
                // Serialization failure, deadlock.
                case "40": .busy
                // Unknown table or column, for example.
                case "42", "0A": .incompatible
                case "XX": sqlState == "XX000" ? .unavailable : .corrupt
                // 08 connection, 25006 read-only server, 53 resources, 57P shutdown.
                default: .unavailable
                }
            }
    }
}
