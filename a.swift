import Glibc
let m = mallinfo2()
print(m.uordblks + m.hblkhd)
