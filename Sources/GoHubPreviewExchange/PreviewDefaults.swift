/// The settings of previews where nobody sets them.
public enum PreviewDefaults {
    public static let pixelsMax = 40_000_000
    public static let deadlineMilliseconds = 10_000
    public static let memoryBytesMax = 512 * 1024 * 1024
    public static let processesMax = 1
    public static let waitingMax = 32
    public static let userWaitingMax = 16
}
