internal import CGoHubLinux
internal import Glibc

/// The system calls that the process keeps: reading standard input, writing standard output, memory, the end.
///
/// A kernel filter (seccomp(2)): a small program that examines the number and the arguments of each call. Other calls
/// fail with EPERM. The process deliberately isn't ended instead: another version of a C library that tries further
/// calls continues without them, and an attacker who controls the decoder gains nothing.
enum SystemCallFilter {
    /// The condition on a call's argument, if one is examined.
    private enum Rule {
        case any
        /// The first argument, a descriptor.
        case descriptor(UInt32)
        /// The third argument, the protection of memory, without `PROT_EXEC`: only the program's own code ever runs.
        case notExecutable
    }

    private static let rules: [(call: Int32, Rule)] = [
        (__NR_read, .descriptor(UInt32(STDIN_FILENO))), (__NR_pread64, .descriptor(UInt32(STDIN_FILENO))),
        (__NR_write, .descriptor(UInt32(STDOUT_FILENO))),
        (__NR_mmap, .notExecutable), (__NR_mprotect, .notExecutable),
        (__NR_munmap, .any), (__NR_mremap, .any), (__NR_brk, .any), (__NR_madvise, .any),
        // Locks of the libraries, a seed for the allocator, and clocks if the kernel doesn't share them.
        (__NR_futex, .any), (__NR_getrandom, .any), (__NR_clock_gettime, .any),
        // Needed for `abort` and every other end.
        (__NR_rt_sigprocmask, .any), (__NR_rt_sigreturn, .any), (__NR_getpid, .any), (__NR_gettid, .any),
        (__NR_exit_group, .any), (__NR_exit, .any),
    ]

    /// - Returns: false if the kernel can't or won't install it.
    static func install() -> Bool {
        var program = program()
        // The array lives for the call, in which the kernel copies it. It has a few dozen instructions.
        return gohub_set_filter(&program, UInt16(clamping: program.count)) == 0
    }

    /// The offsets of the call's number, the architecture and the arguments in the program's input (`struct
    /// seccomp_data`).
    private enum Offset {
        static let call: UInt32 = 0
        static let architecture: UInt32 = 4

        /// The lower half of an argument on little-endian machines, which all supported ones are.
        static func argument(_ index: UInt32) -> UInt32 { 16 + 8 * index }
    }

    private static func program() -> [sock_filter] {
        let allow = answer(UInt32(SECCOMP_RET_ALLOW))
        let refuse = answer(UInt32(SECCOMP_RET_ERRNO) | UInt32(EPERM))
        // A number means another call on another architecture, which an x86-64 process can use, too.
        var program = [
            load(Offset.architecture), skip(1, ifEqual: gohub_audit_arch), answer(UInt32(SECCOMP_RET_KILL_PROCESS)),
        ]
        for (call, rule) in rules {
            var body: [sock_filter] = []
            switch rule {
            case .any: body = [allow]
            case .descriptor(let descriptor):
                body = [load(Offset.argument(0)), skip(1, ifEqual: descriptor), refuse, allow]
            case .notExecutable:
                body = [load(Offset.argument(2)), skip(1, ifAnyOf: UInt32(PROT_EXEC)), allow, refuse]
            }
            program.append(load(Offset.call))
            program.append(skip(UInt8(body.count), unlessEqual: UInt32(call)))
            program += body
        }
        return program + [refuse]
    }

    // MARK: Instructions (linux/filter.h)

    private static func load(_ offset: UInt32) -> sock_filter {
        sock_filter(code: UInt16(BPF_LD | BPF_W | BPF_ABS), jt: 0, jf: 0, k: offset)
    }

    private static func skip(_ count: UInt8, ifEqual value: UInt32) -> sock_filter {
        sock_filter(code: UInt16(BPF_JMP | BPF_JEQ | BPF_K), jt: count, jf: 0, k: value)
    }

    private static func skip(_ count: UInt8, unlessEqual value: UInt32) -> sock_filter {
        sock_filter(code: UInt16(BPF_JMP | BPF_JEQ | BPF_K), jt: 0, jf: count, k: value)
    }

    private static func skip(_ count: UInt8, ifAnyOf bits: UInt32) -> sock_filter {
        sock_filter(code: UInt16(BPF_JMP | BPF_JSET | BPF_K), jt: count, jf: 0, k: bits)
    }

    private static func answer(_ value: UInt32) -> sock_filter {
        sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: value)
    }
}
