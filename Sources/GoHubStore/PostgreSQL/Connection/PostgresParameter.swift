internal import CGoHubPQ
internal import GoHubCore

/// The types that statements take, by PostgreSQL's numbers (`pg_type.dat`).
enum PostgresType: Oid {
    case bigint = 20
    case text = 25
    case textArray = 1009
    case bigintArray = 1016
}

/// A parameter in PostgreSQL's binary format: numbers with the high byte first, texts as they are.
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

    /// One dimension that begins at 1 (`array_recv` in PostgreSQL's arrayfuncs.c), written in one go: batches have some
    /// thousand elements.
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

/// A result of a statement, freed with it. Belongs to one thread.
final class PostgresResult {
    private let result: OpaquePointer

    init(_ result: OpaquePointer) {
        self.result = result
    }

    deinit {
        PQclear(result)
    }

    var status: ExecStatusType { PQresultStatus(result) }

    var rows: Int { Int(PQntuples(result)) }

    /// How many rows a statement has changed.
    var changes: Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

    /// The server's five characters for the kind of an error.
    var code: String { field("C") }

    /// The server's sentence, without the details, which may hold what was stored.
    var message: String { field("M") }

    private func field(_ name: Unicode.Scalar) -> String {
        PQresultErrorField(result, Int32(name.value)).map { String(cString: $0) } ?? ""
    }

    func isNull(_ row: Int, _ column: Int) -> Bool {
        PQgetisnull(result, Int32(clamping: row), Int32(clamping: column)) == 1
    }

    /// Of a `bigint` in binary format; 0 for what isn't one.
    func integer(_ row: Int, _ column: Int) -> Int64 {
        var value: UInt64 = 0
        let bytes = bytes(row, column)
        guard bytes.count == 8 else { return 0 }
        for byte in bytes { value = value << 8 | UInt64(byte) }
        return Int64(bitPattern: value)
    }

    /// Of a `boolean` in binary format.
    func flag(_ row: Int, _ column: Int) -> Bool { bytes(row, column).first == 1 }

    func text(_ row: Int, _ column: Int) -> String { String(decoding: bytes(row, column), as: UTF8.self) }

    /// The value's bytes, which live as long as the result: they are read at once by the callers above.
    private func bytes(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer {
        let (row, column) = (Int32(clamping: row), Int32(clamping: column))
        // libpq gives nothing for a row or column that isn't there.
        return UnsafeRawBufferPointer(
            start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
    }
}

/// Why something couldn't be done.
struct PostgresFailure: Error {
    let error: StoreError
    /// Whether the connection is of no more use.
    let endsConnection: Bool
}
