internal import CGoHubPQ

/// The parameter types of statements, by PostgreSQL's numbers (`pg_type.dat`).
enum PostgresType: Oid {
    case bigint = 20
    case text = 25
    case textArray = 1009
    case bigintArray = 1016
}

/// A parameter in PostgreSQL's binary format: numbers in big-endian order, texts as they are.
struct PostgresParameter {
    let bytes: [UInt8]

    static func bigint(_ value: Int64) -> PostgresParameter {
        PostgresParameter(bytes: bigEndian(value))
    }

    static func text(_ value: String) -> PostgresParameter {
        PostgresParameter(bytes: Array(value.utf8))
    }

    static func bigints(_ values: some Collection<Int64?>) -> PostgresParameter {
        array(of: .bigint, values) { value, bytes in
            append(Int32(8), to: &bytes)
            append(value, to: &bytes)
        }
    }

    static func bigints(_ values: some Collection<Int64>) -> PostgresParameter {
        bigints(values.lazy.map { Optional($0) })
    }

    static func texts(_ values: some Collection<String?>) -> PostgresParameter {
        array(of: .text, values) { value, bytes in
            append(Int32(clamping: value.utf8.count), to: &bytes)
            bytes += value.utf8
        }
    }

    static func texts(_ values: some Collection<String>) -> PostgresParameter {
        texts(values.lazy.map { Optional($0) })
    }

    /// One dimension that begins at 1 (`array_recv` in PostgreSQL's arrayfuncs.c), written in one pass: batches have
    /// thousands of elements.
    private static func array<Value>(
        of type: PostgresType, _ values: some Collection<Value?>, _ write: (Value, inout [UInt8]) -> Void
    ) -> PostgresParameter {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + 16 * values.count)
        append(Int32(1), to: &bytes)
        // Whether there may be a NULL.
        append(Int32(1), to: &bytes)
        append(Int32(bitPattern: type.rawValue), to: &bytes)
        append(Int32(clamping: values.count), to: &bytes)
        append(Int32(1), to: &bytes)
        for value in values {
            if let value { write(value, &bytes) } else { append(Int32(-1), to: &bytes) }
        }
        return PostgresParameter(bytes: bytes)
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}
