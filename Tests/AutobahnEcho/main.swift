import Glibc

// Echoes every message over the hub's own WebSocket layer, without a hub. For a conformance suite such as Autobahn's
// fuzzing client (`make autobahn`):
//
//     swift build --product autobahn-echo
//     .build/debug/autobahn-echo 127.0.0.1:9001 [deflate] [small-window] [tls]
//
// It uses internal declarations of that layer, which only a debug build makes visible.
#if DEBUG
do {
    let arguments = CommandLine.arguments.dropFirst()
    let isTLS = arguments.contains("tls")
    let echo = try EchoLoop(
        listen: arguments.first ?? "127.0.0.1:0", deflate: arguments.contains("deflate"),
        windowBits: arguments.contains("small-window") ? 9 : 15, isTLS: isTLS)
    print("\(isTLS ? "wss" : "ws")://\(echo.address)/")
    fflush(nil)
    echo.run()
} catch {
    print("autobahn-echo: \(error)")
    exit(1)
}
#else
print("autobahn-echo: build it with the debug configuration")
exit(1)
#endif
