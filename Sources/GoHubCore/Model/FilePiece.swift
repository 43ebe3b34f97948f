/// A part of a file that goes in or out at once.
public enum FilePiece {
    /// The most bytes of one write, or of one read.
    public static let bytesMax = 1024 * 1024
}
