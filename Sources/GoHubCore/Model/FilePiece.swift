/// A part of a file that is written or read at once.
package enum FilePiece {
    /// The maximum number of bytes of one write or read.
    package static let bytesMax = 1024 * 1024
}
