internal import CGoHubPQ

/// A result of a statement, freed with the object. Belongs to one thread.
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

    /// The number of rows that a statement has changed.
    var changes: Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

    /// The server's five-character code of an error.
    var code: String { field("C") }

    /// The server's message without the details, which may contain stored data.
    var message: String { field("M") }

    private func field(_ name: Unicode.Scalar) -> String {
        PQresultErrorField(result, Int32(name.value)).map { String(cString: $0) } ?? ""
    }

    func isNull(_ row: Int, _ column: Int) -> Bool {
        PQgetisnull(result, Int32(clamping: row), Int32(clamping: column)) == 1
    }

    /// The value of a `bigint` in binary format; 0 for any other value.
    func integer(_ row: Int, _ column: Int) -> Int64 {
        var value: UInt64 = 0
        let bytes = bytes(row, column)
        guard bytes.count == 8 else { return 0 }
        for byte in bytes { value = value << 8 | UInt64(byte) }
        return Int64(bitPattern: value)
    }

    /// The value of a `boolean` in binary format.
    func flag(_ row: Int, _ column: Int) -> Bool { bytes(row, column).first == 1 }

    func text(_ row: Int, _ column: Int) -> String { String(decoding: bytes(row, column), as: UTF8.self) }

    /// A copy of the value of a `bytea` in binary format.
    func byteArray(_ row: Int, _ column: Int) -> [UInt8] { Array(bytes(row, column)) }

    /// The value's bytes, which live as long as the result: the callers above read them immediately.
    private func bytes(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer {
        let (row, column) = (Int32(clamping: row), Int32(clamping: column))
        // libpq returns a null pointer for a row or column that doesn't exist.
        return UnsafeRawBufferPointer(
            start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
    }
}
