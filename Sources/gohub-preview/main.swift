internal import GoHubPreviewExchange
internal import Glibc
internal import GoHubSystem

// One image, one process: an image that attacks its decoder affects nothing else.
//
// Exit codes: 0 there is an answer; 64 the command line is wrong. Any other code is a crash.

guard let order = PreviewOrder(arguments: Array(CommandLine.arguments.dropFirst())),
    let format = PreviewFormat(rawValue: order.format)
else {
    // For people who start it by hand.
    let usage = """
        gohub-preview is started by gohubd, with an image as its standard input:
        gohub-preview png|jpeg|gif|webp PIXELS-MAX MEMORY-BYTES-MAX CPU-SECONDS-MAX < IMAGE > ANSWER

        """
    writeEverything(Array(usage.utf8), to: STDERR_FILENO)
    exit(64)
}

let input = Input()
let answer: PreviewAnswer
do throws(Confinement.Failure) {
    try Confinement.apply(order)
    answer = PreviewMaker(format: format, pixelsMax: order.pixelsMax).answer(input.read())
} catch {
    answer = .unconfined
}
// A reader who has gone ends the process by SIGPIPE.
writeEverything(answer.encoded(), to: STDOUT_FILENO)
// Without the libraries' exit handlers, which have nothing left to do.
_exit(0)
