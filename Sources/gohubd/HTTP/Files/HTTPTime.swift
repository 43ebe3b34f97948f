internal import Glibc

/// Dates in HTTP (RFC 9110, section 5.6.7), as seconds since 1970 UTC.
enum HTTPTime {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The preferred form, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func format(_ seconds: Int64) -> String {
        var time = time_t(seconds)
        var parts = tm()
        // Reads the one and fills in the other; both live for the call.
        gmtime_r(&time, &parts)
        func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + String(number) }
        // What the system gives is in range for every time that a file can have.
        let day = days[Int(min(max(0, parts.tm_wday), 6))]
        let month = months[Int(min(max(0, parts.tm_mon), 11))]
        return "\(day), \(two(parts.tm_mday)) \(month) \(parts.tm_year + 1900) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }

    /// Only the preferred form: the two others were obsolete in 1999, and a condition with one is ignored, which costs no
    /// more than an answer in full.
    static func parse(_ text: String) -> Int64? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words[0].count == 4, words[0].last == ",", days.contains(String(words[0].dropLast())),
            words[5] == "GMT", let day = number(words[1], digits: 2), let year = number(words[3], digits: 4),
            let month = months.firstIndex(of: String(words[2]))
        else { return nil }
        let clock = words[4].split(separator: ":", omittingEmptySubsequences: false).map { number($0, digits: 2) }
        guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2],
            (1600...).contains(year), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var parts = tm()
        parts.tm_year = year - 1900
        parts.tm_mon = Int32(month)
        (parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec) = (day, hour, minute, second)
        // Puts the parts into range where they are, and keeps nothing of them after the call.
        return Int64(timegm(&parts))
    }

    private static func number(_ text: Substring, digits: Int) -> Int32? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return Int32(text)
    }
}
