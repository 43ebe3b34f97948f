/// The settings of previews where nobody sets them.
public enum PreviewDefaults {
    /// Pixels of an image.
    public static let pixelsMax = 40_000_000
    /// The time limit for waiting for a helper, and again for its run.
    public static let deadlineMilliseconds = 10_000
    /// Bytes of memory for one image.
    public static let memoryBytesMax = 512 * 1024 * 1024
    /// Helpers at a time.
    public static let processesMax = 1
    /// Images that wait for a helper.
    public static let waitingMax = 32
    /// Waiting images of one user.
    public static let userWaitingMax = 16
}
