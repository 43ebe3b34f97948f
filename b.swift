import Glibc
var a = pthread_attr_t()
pthread_attr_init(&a)
pthread_attr_setstacksize(&a, 1<<18)
print(pthread_setattr_default_np(&a))
print(gettid())
