/* A disk that fails as configured, for LD_PRELOAD (scripts/endurance/faults.py builds and steers it).

   DISK_CONTROL names a file of one `struct control`, mapped and read again with each call: which calls on which
   files fail, with which error, and how often. It also moves the wall clock, and no other.

   DISK_KEPT names a directory that holds what a power cut would leave: for each file below DISK_ROOT a copy
   named DEVICE-INODE, into which a sync that succeeds takes the pages written since the last sync. A sync that
   fails takes nothing, and its pages count as clean afterwards, as on Linux: the next sync that succeeds does
   not write them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, READ = 4, OPEN = 8, TRUNCATE = 16, RENAME = 32, UNLINK = 64 };

struct control {
  int on, calls, error;
  int after, every, most; /* calls let pass first; then each so-many-th fails; at most so many (0: no bound) */
  int seen, failed;       /* counted here */
  int shift;              /* seconds that the wall clock is ahead */
  char pattern[220];      /* of the path: any part of it */
};

#define REAL(name)                      \
  static __typeof__(&name) real_##name; \
  if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name)

static struct control *control;
static const char *root, *kept;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("DISK_CONTROL");
  root = getenv("DISK_ROOT");
  kept = getenv("DISK_KEPT");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *found = mmap(0, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  control = found == MAP_FAILED ? 0 : found;
}

/* ------------------------------------------------------------------ what fails */

static int fails_at(const char *path, int call) {
  if (!control || !control->on || !(control->calls & call) || !path || !strstr(path, control->pattern)) return 0;
  int turn = __sync_add_and_fetch(&control->seen, 1) - control->after;
  if (turn <= 0 || (control->every > 1 && turn % control->every)) return 0;
  int failed = __sync_add_and_fetch(&control->failed, 1);
  if (control->most && failed > control->most) {
    __sync_sub_and_fetch(&control->failed, 1);
    return 0;
  }
  errno = control->error;
  return 1;
}

static int fails(int fd, int call) {
  if (!control || !control->on || !(control->calls & call)) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return fails_at(path, call);
}

/* ------------------------------------------------------------------ what a power cut leaves */

enum { PAGE = 4096, FILES = 16384 };
struct file {
  dev_t device;
  ino_t inode;
  unsigned char *dirty; /* one for each page */
  size_t pages;
};
static struct file files[FILES];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static struct file *find(const struct stat *of, int make) {
  for (size_t i = 0, at = of->st_ino % FILES; i < FILES; i++, at = (at + 1) % FILES) {
    struct file *file = &files[at];
    if (file->inode == of->st_ino && file->device == of->st_dev) return file;
    if (file->inode) continue;
    if (!make) return 0;
    file->device = of->st_dev;
    file->inode = of->st_ino;
    return file;
  }
  return 0;
}

static void watch(const char *path, int fd) {
  struct stat now;
  if (!kept || !root || fd < 0 || fstat(fd, &now) || !S_ISREG(now.st_mode)) return;
  char full[4096];
  if (*path != '/') path = realpath(path, full);
  if (!path || strncmp(path, root, strlen(root))) return;
  pthread_mutex_lock(&mutex);
  find(&now, 1);
  pthread_mutex_unlock(&mutex);
}

static void dirty(int fd, off_t from, off_t to) {
  struct stat now;
  if (!kept || to <= from || fstat(fd, &now)) return;
  pthread_mutex_lock(&mutex);
  struct file *file = find(&now, 0);
  if (file) {
    size_t last = (to - 1) / PAGE;
    if (last >= file->pages) {
      size_t pages = last + 1024;
      file->dirty = realloc(file->dirty, pages);
      memset(file->dirty + file->pages, 0, pages - file->pages);
      file->pages = pages;
    }
    memset(file->dirty + from / PAGE, 1, last - from / PAGE + 1);
  }
  pthread_mutex_unlock(&mutex);
}

static void copy_name(char *name, size_t most, const struct stat *of) {
  snprintf(name, most, "%s/%lu-%lu", kept, (unsigned long)of->st_dev, (unsigned long)of->st_ino);
}

static void synced(int fd, int well) {
  REAL(open);
  REAL(pwrite);
  REAL(pread);
  REAL(ftruncate);
  struct stat now;
  if (!kept || fstat(fd, &now)) return;
  int kept_errno = errno;
  pthread_mutex_lock(&mutex);
  struct file *file = find(&now, 0);
  if (file && well) {
    char name[4096], page[PAGE], own[64];
    copy_name(name, sizeof name, &now);
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    int copy = real_open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (size_t at = 0; at < file->pages; at++) {
      if (!file->dirty[at]) continue;
      /* The descriptor may be open for writing alone: a second one is read, and left open by nobody. Closing it
         would drop SQLite's locks on a database, so only files that are not open for reading get one. */
      ssize_t length = real_pread(fd, page, PAGE, at * PAGE);
      if (length < 0) {
        int again = real_open(own, O_RDONLY | O_CLOEXEC);
        length = real_pread(again, page, PAGE, at * PAGE);
        close(again);
      }
      if (length > 0 && real_pwrite(copy, page, length, at * PAGE) != length) abort();
    }
    if (copy < 0 || real_ftruncate(copy, now.st_size)) abort();
    close(copy);
  }
  if (file && file->pages) memset(file->dirty, 0, file->pages);
  pthread_mutex_unlock(&mutex);
  errno = kept_errno;
}

static void gone(const char *path) { /* its inode may be given to another file */
  REAL(unlink);
  struct stat now;
  if (!kept || lstat(path, &now) || !S_ISREG(now.st_mode) || now.st_nlink > 1) return;
  pthread_mutex_lock(&mutex);
  struct file *file = find(&now, 0);
  if (file) {
    char name[4096];
    copy_name(name, sizeof name, &now);
    real_unlink(name);
    if (file->pages) memset(file->dirty, 0, file->pages);
  }
  pthread_mutex_unlock(&mutex);
}

static off_t place(int fd) {
  struct stat now;
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_APPEND) && !fstat(fd, &now)) return now.st_size;
  return lseek(fd, 0, SEEK_CUR);
}

/* ------------------------------------------------------------------ the calls */

ssize_t write(int fd, const void *from, size_t size) {
  REAL(write);
  if (fails(fd, WRITE)) return -1;
  off_t at = kept ? place(fd) : 0;
  ssize_t done = real_write(fd, from, size);
  if (kept && at >= 0) dirty(fd, at, at + done);
  return done;
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  if (fails(fd, WRITE)) return -1;
  off_t at = kept ? place(fd) : 0;
  ssize_t done = real_writev(fd, parts, count);
  if (kept && at >= 0) dirty(fd, at, at + done);
  return done;
}
ssize_t sendfile(int to, int from, off_t *offset, size_t size) {
  REAL(sendfile);
  if (fails(to, WRITE)) return -1;
  off_t at = kept ? place(to) : 0;
  ssize_t done = real_sendfile(to, from, offset, size);
  if (kept && at >= 0) dirty(to, at, at + done);
  return done;
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t size) { return sendfile(to, from, offset, size); }
#define PWRITE(name, offset)                                              \
  ssize_t name(int fd, const void *from, size_t size, offset at) {        \
    REAL(name);                                                           \
    if (fails(fd, WRITE)) return -1;                                      \
    ssize_t done = real_##name(fd, from, size, at);                       \
    dirty(fd, at, at + done);                                             \
    return done;                                                          \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
#define PREAD(name, offset)                                               \
  ssize_t name(int fd, void *to, size_t size, offset at) {                \
    REAL(name);                                                           \
    return fails(fd, READ) ? -1 : real_##name(fd, to, size, at);          \
  }
PREAD(pread, off_t)
PREAD(pread64, off64_t)
ssize_t read(int fd, void *to, size_t size) {
  REAL(read);
  return fails(fd, READ) ? -1 : real_read(fd, to, size);
}
#define SYNCED(name)                                                      \
  int name(int fd) {                                                      \
    REAL(name);                                                           \
    int status = fails(fd, SYNC) ? -1 : kept ? 0 : real_##name(fd);       \
    synced(fd, !status);                                                  \
    return status;                                                        \
  }
SYNCED(fsync)
SYNCED(fdatasync)
#define TRUNCATED(name, offset)                                           \
  int name(int fd, offset size) {                                         \
    REAL(name);                                                           \
    struct stat before;                                                   \
    if (fails(fd, TRUNCATE)) return -1;                                   \
    int known = kept && !fstat(fd, &before);                              \
    int status = real_##name(fd, size);                                   \
    if (known && !status) dirty(fd, size, before.st_size);                \
    return status;                                                        \
  }
TRUNCATED(ftruncate, off_t)
TRUNCATED(ftruncate64, off64_t)
int rename(const char *from, const char *to) {
  REAL(rename);
  if (fails_at(to, RENAME)) return -1;
  gone(to);
  return real_rename(from, to);
}
int renameat(int in, const char *from, int at, const char *to) {
  REAL(renameat);
  if (fails_at(to, RENAME)) return -1;
  if (*to == '/' || at == AT_FDCWD) gone(to);
  return real_renameat(in, from, at, to);
}
int unlink(const char *path) {
  REAL(unlink);
  if (fails_at(path, UNLINK)) return -1;
  gone(path);
  return real_unlink(path);
}
#define OPENED(name)                                                      \
  int name(const char *path, int flags, ...) {                            \
    REAL(name);                                                           \
    va_list more;                                                         \
    va_start(more, flags);                                                \
    mode_t mode = va_arg(more, int);                                      \
    va_end(more);                                                         \
    int fd = fails_at(path, OPEN) ? -1 : real_##name(path, flags, mode);  \
    watch(path, fd);                                                      \
    return fd;                                                            \
  }
OPENED(open)
OPENED(open64)
#define OPENED_AT(name)                                                   \
  int name(int in, const char *path, int flags, ...) {                    \
    REAL(name);                                                           \
    va_list more;                                                         \
    va_start(more, flags);                                                \
    mode_t mode = va_arg(more, int);                                      \
    va_end(more);                                                         \
    int fd = fails_at(path, OPEN) ? -1 : real_##name(in, path, flags, mode); \
    if (*path == '/' || in == AT_FDCWD) watch(path, fd);                  \
    return fd;                                                            \
  }
OPENED_AT(openat)
OPENED_AT(openat64)

/* ------------------------------------------------------------------ the wall clock */

int clock_gettime(clockid_t id, struct timespec *now) {
  REAL(clock_gettime);
  int status = real_clock_gettime(id, now);
  if (control && !status && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += control->shift;
  return status;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  static int (*real)(struct timeval *, void *);
  if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
  int status = real(now, zone);
  if (control && !status) now->tv_sec += control->shift;
  return status;
}
time_t time(time_t *to) {
  static time_t (*real)(time_t *);
  if (!real) real = dlsym(RTLD_NEXT, "time");
  time_t now = real(0) + (control ? control->shift : 0);
  if (to) *to = now;
  return now;
}
