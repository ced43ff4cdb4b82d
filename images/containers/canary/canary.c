/*
 * Container canary: the first process of a container; it only checks itself and reports the result.
 *
 * It detects data that a relocation loses, duplicates or restores in an older state. Each process of the tree checks
 *
 *   memory    pages that contain their address, a write count and a pattern: each count must match the position of the
 *             walk through the pages
 *   threads   one counts, one echoes: numbers go to it by a pipe and come back by a unix socket, with some always in
 *             transit; none may be lost, duplicated or reordered. The same between the first process and each other one
 *   timers    an interval timer, a POSIX timer and a timerfd keep firing
 *   files     an open file on the root file system that grows, one with a position, one on a tmpfs that is also mapped
 *   itself    process ids, thread ids, working directory and signal handlers stay the same
 *
 * The first process is a TCP server. It echoes each line, with these exceptions:
 *
 *   report    returns a line of JSON, see below
 *   beat MS   from now on, sends a line `beat NUMBER` every MS milliseconds, starting at 1: the client sees the gap
 *   break     corrupts a page of memory, to show that the checks can fail
 *
 * Arguments:
 *   memory=16M     memory of all processes together (K, M, G)
 *   dirty=0        bytes a second that are written, page by page, by all processes together (K, M, G); 0 only verifies
 *   processes=1    number of processes in the tree, at most 64
 *   port=7007      TCP port of the server
 *   tmp=/tmp       a folder on a tmpfs
 *   log=/var/lib/canary   a folder on the root file system
 *
 * The report, also printed on standard output each second once all memory is filled:
 *   canary                    2, the version of this line
 *   seq                       its number
 *   processes, memory         as in the arguments, memory in bytes
 *   pages_verified, pages_written, messages, ticks, records   totals of all processes since the start
 *   answers                   number of lines that were answered
 *   clock_steps               how often CLOCK_MONOTONIC jumped back, or ahead by more than two seconds: each kernel has
 *                             its own CLOCK_MONOTONIC
 *   anomalies, anomaly        number of anomalies, text of the latest one or ""
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { page_size = 4096, most_processes = 64, most_clients = 16, under_way = 8, record_size = 64, position = 37 };

/* The number of checks, four a second, without progress after which something counts as stopped. */
enum { patience = 60 };

/* The findings of a process, in memory that all processes share. */
struct findings {
    _Atomic uint64_t verified, written, messages, ticks, records;
    _Atomic uint32_t anomalies, clock_steps, is_filled;
};

static struct shared {
    struct findings of[most_processes];
    char anomaly[200];
} *shared;

static struct {
    uint64_t memory, dirty;
    int processes, port;
    const char *tmp, *log;
} options = { 16 << 20, 0, 1, 7007, "/tmp", "/var/lib/canary" };

static int self; /* which process of the tree this is, from 0 */
static struct findings *mine;

static void __attribute__((format(printf, 1, 2))) anomaly(const char *format, ...)
{
    char text[160];
    va_list words;
    va_start(words, format);
    vsnprintf(text, sizeof text, format, words);
    va_end(words);
    for (char *c = text; *c; c++)
        if (*c == '"' || *c == '\\' || *c < ' ')
            *c = '\'';
    snprintf(shared->anomaly, sizeof shared->anomaly, "process %d: %s", self, text);
    mine->anomalies++;
}

static void die(const char *what)
{
    fprintf(stderr, "canary: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 31) * 0x9e3779b97f4a7c15;
    return value ^ value >> 29;
}

static int64_t now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* Returns nanoseconds since the last call. If the clock has been replaced since then, counts a step and returns 0. */
static int64_t passed(int64_t *last)
{
    int64_t time = now(), before = *last;
    *last = time;
    if (time >= before && time - before < 2000000000)
        return time - before;
    mine->clock_steps++;
    return 0;
}

/* ---------------------------------------------------------------- memory */

struct page {
    uint64_t address, written, seal;
    uint64_t pattern[page_size / 8 - 4];
    uint64_t written_again;
};

static struct page *pages;
static size_t page_count, cursor;
static uint64_t walk = 1; /* the write count of each page; pages before the cursor have one more */

static uint64_t seal(const struct page *page) { return mix((uintptr_t)page ^ mix(page->written)); }

static void fill_memory(void)
{
    page_count = options.memory / options.processes / page_size;
    if (page_count == 0)
        page_count = 1;
    pages = mmap(NULL, page_count * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        die("no memory");
    for (size_t i = 0; i < page_count; i++) {
        struct page *page = &pages[i];
        page->address = (uintptr_t)page;
        page->written = page->written_again = walk;
        page->seal = seal(page);
        for (size_t word = 0; word < page_size / 8 - 4; word++)
            page->pattern[word] = (i << 20 ^ word) * 0x9e3779b97f4a7c15;
    }
    mine->is_filled = 1;
}

static void verify_page(size_t i, int wholly)
{
    const struct page *page = &pages[i];
    uint64_t expected = i < cursor ? walk + 1 : walk;
    if (page->address != (uintptr_t)page)
        anomaly("page %zu has address %#llx", i, (unsigned long long)page->address);
    else if (page->written != expected || page->written_again != expected)
        anomaly("page %zu was written %llu, %llu times, not %llu", i, (unsigned long long)page->written,
            (unsigned long long)page->written_again, (unsigned long long)expected);
    else if (page->seal != seal(page))
        anomaly("page %zu has a wrong seal", i);
    for (size_t word = 0; wholly && word < page_size / 8 - 4; word++)
        if (page->pattern[word] != (i << 20 ^ word) * 0x9e3779b97f4a7c15) {
            anomaly("page %zu differs in word %zu", i, word);
            break;
        }
    mine->verified++;
}

static void write_page(void)
{
    struct page *page = &pages[cursor];
    verify_page(cursor, cursor % 64 == 0);
    page->written = page->written_again = walk + 1;
    page->seal = seal(page);
    mine->written++;
    if (++cursor == page_count) {
        cursor = 0;
        walk++;
    }
}

/* Writes as many pages as are due; does not catch up on pages that were not written in time. */
static void write_memory(int64_t nanoseconds)
{
    static double due;
    if (nanoseconds > 100000000)
        nanoseconds = 100000000;
    due += (double)options.dirty / options.processes / page_size * nanoseconds / 1e9;
    if (due > page_count)
        due = page_count;
    for (; due >= 1; due--)
        write_page();
}

static void verify_memory(void)
{
    static size_t next;
    for (int i = 0; i < 64; i++, next++)
        verify_page(next % page_count, i % 8 == 0);
}

/* ---------------------------------------------------------------- echoed numbers */

struct loop {
    int to, from;
    uint64_t sent, received;
    int silence;
};

static void send_round(struct loop *loop, const char *name)
{
    for (uint64_t number; read(loop->from, &number, sizeof number) == sizeof number;) {
        if (number != ++loop->received)
            anomaly("%s: %llu came back, not %llu", name, (unsigned long long)number,
                (unsigned long long)loop->received);
        loop->received = number;
        loop->silence = 0;
        mine->messages++;
    }
    if (loop->sent > loop->received && ++loop->silence == patience)
        anomaly("%s: %llu did not come back", name, (unsigned long long)loop->received + 1);
    while (loop->sent < loop->received + under_way) {
        uint64_t number = loop->sent + 1;
        if (write(loop->to, &number, sizeof number) != sizeof number)
            break;
        loop->sent = number;
    }
}

static void nonblocking(int descriptor)
{
    if (fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) < 0)
        die("fcntl");
}

/* ---------------------------------------------------------------- threads */

static struct loop thread_loop;
static int echo_from, echo_to;
static _Atomic uint64_t counted;
static _Atomic int thread_id;

static void *__attribute__((noreturn)) echo(void *unused)
{
    (void)unused;
    for (;;) {
        uint64_t number;
        /* The delay keeps some numbers in the pipe and some in the socket at any time. */
        usleep(20000);
        if (read(echo_from, &number, sizeof number) == sizeof number)
            while (write(echo_to, &number, sizeof number) < 0 && errno == EINTR)
                ;
    }
}

static void *__attribute__((noreturn)) count(void *unused)
{
    (void)unused;
    thread_id = syscall(SYS_gettid);
    for (;;) {
        usleep(200000);
        counted++;
        if (thread_id != syscall(SYS_gettid))
            anomaly("thread %d is %ld now", thread_id, syscall(SYS_gettid));
    }
}

static void start_threads(void)
{
    int pipes[2], sockets[2];
    if (pipe2(pipes, O_CLOEXEC) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
        die("pipe");
    thread_loop.to = pipes[1];
    thread_loop.from = sockets[0];
    echo_from = pipes[0];
    echo_to = sockets[1];
    nonblocking(thread_loop.to);
    nonblocking(thread_loop.from);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    if (pthread_create(&thread, NULL, echo, NULL) || pthread_create(&thread, NULL, count, NULL))
        die("pthread_create");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---------------------------------------------------------------- timers */

static _Atomic uint64_t alarms, signals;
static int timer_descriptor;

static void on_alarm(int signal) { (void)signal, alarms++; }
static void on_signal(int signal) { (void)signal, signals++; }

static void start_timers(void)
{
    struct sigaction action = { .sa_flags = SA_RESTART };
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    action.sa_handler = on_signal;
    sigaction(SIGUSR1, &action, NULL);
    struct itimerval interval = { { 0, 500000 }, { 0, 500000 } };
    setitimer(ITIMER_REAL, &interval, NULL);
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    struct itimerspec half = { { 0, 500000000 }, { 0, 500000000 } };
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 || timer_settime(timer, 0, &half, NULL) < 0)
        die("timer_create");
    timer_descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer_descriptor < 0 || timerfd_settime(timer_descriptor, 0, &half, NULL) < 0)
        die("timerfd");
}

/* A value that must grow; reported once when it has not grown for a long time. */
struct growing {
    const char *name;
    uint64_t last;
    int silence;
};

static void look_at(struct growing *thing, uint64_t value)
{
    if (value != thing->last) {
        if (value > thing->last)
            mine->ticks += value - thing->last;
        else
            anomaly("%s went back from %llu to %llu", thing->name, (unsigned long long)thing->last,
                (unsigned long long)value);
        thing->silence = 0;
    } else if (++thing->silence == patience) {
        anomaly("%s stopped at %llu", thing->name, (unsigned long long)value);
    }
    thing->last = value;
}

static void look_at_timers(void)
{
    static struct growing things[] = { { "the interval timer", 0, 0 }, { "the POSIX timer", 0, 0 },
        { "the timerfd", 0, 0 }, { "the counting thread", 0, 0 } };
    static uint64_t expirations;
    uint64_t more;
    if (read(timer_descriptor, &more, sizeof more) == sizeof more)
        expirations += more;
    look_at(&things[0], alarms);
    look_at(&things[1], signals);
    look_at(&things[2], expirations);
    look_at(&things[3], counted);
}

/* ---------------------------------------------------------------- files */

static int log_file, placed_file, tmp_file;
static uint64_t records;
static uint64_t *mapped;

static void record_of(uint64_t number, char *text)
{
    memset(text, '.', record_size);
    int length = snprintf(text, record_size, "%d %llu %llx", self, (unsigned long long)number,
        (unsigned long long)mix(number));
    text[length] = ' ';
    text[record_size - 1] = '\n';
}

static void open_files(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s/log-%d", options.log, self);
    log_file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    placed_file = open(path, O_RDONLY | O_CLOEXEC);
    if (log_file < 0 || placed_file < 0 || lseek(placed_file, position, SEEK_SET) != position)
        die(path);
    snprintf(path, sizeof path, "%s/canary-%d", options.tmp, self);
    tmp_file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (tmp_file < 0 || ftruncate(tmp_file, page_size) < 0)
        die(path);
    mapped = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, tmp_file, 0);
    if (mapped == MAP_FAILED)
        die(path);
}

static void look_at_files(void)
{
    char text[record_size], expected[record_size];
    struct stat status;
    if (fstat(log_file, &status) < 0 || status.st_size != (off_t)(records * record_size))
        anomaly("the file has %lld bytes, not %llu", (long long)status.st_size,
            (unsigned long long)records * record_size);
    if (records > 0) {
        /* Check the latest record and a random older one. */
        uint64_t old[] = { records - 1, mix(records) % records };
        for (int i = 0; i < 2; i++) {
            record_of(old[i], expected);
            if (pread(placed_file, text, record_size, old[i] * record_size) != record_size ||
                memcmp(text, expected, record_size))
                anomaly("record %llu of %llu differs from what was written", (unsigned long long)old[i],
                    (unsigned long long)records);
        }
    }
    if (lseek(placed_file, 0, SEEK_CUR) != position)
        anomaly("the file's position is %lld", (long long)lseek(placed_file, 0, SEEK_CUR));
    uint64_t stored = 0;
    if (pread(tmp_file, &stored, sizeof stored, 0) != sizeof stored || stored != records || *mapped != records)
        anomaly("tmpfs has %llu, mapped %llu, not %llu", (unsigned long long)stored, (unsigned long long)*mapped,
            (unsigned long long)records);
    record_of(records, text);
    if (write(log_file, text, record_size) != record_size)
        anomaly("cannot write: %s", strerror(errno));
    *mapped = ++records;
    mine->records++;
}

/* ---------------------------------------------------------------- itself */

static struct {
    pid_t process, parent, session;
    long thread;
    char directory[256];
} identity;

static void note_identity(void)
{
    identity.process = getpid();
    identity.parent = getppid();
    identity.session = getsid(0);
    identity.thread = syscall(SYS_gettid);
    if (!getcwd(identity.directory, sizeof identity.directory))
        die("getcwd");
}

static void look_at_itself(void)
{
    char directory[256] = "";
    if (getpid() != identity.process || getppid() != identity.parent || getsid(0) != identity.session ||
        syscall(SYS_gettid) != identity.thread)
        anomaly("ids are %d %d %d %ld", getpid(), getppid(), getsid(0), syscall(SYS_gettid));
    if (!getcwd(directory, sizeof directory) || strcmp(directory, identity.directory))
        anomaly("the working directory is '%s'", directory);
    struct sigaction action;
    if (sigaction(SIGUSR1, NULL, &action) < 0 || action.sa_handler != on_signal)
        anomaly("the signal handler is gone");
}

/* ---------------------------------------------------------------- all processes */

static void begin(void)
{
    mine = &shared->of[self];
    note_identity();
    fill_memory();
    start_threads();
    start_timers();
    open_files();
}

/* Returns the pause between checks, in milliseconds. */
static int pause_between_looks(void) { return options.dirty ? 10 : 50; }

/* Performs the checks that are due. Returns 1 if these were all checks, 0 if only memory was checked. */
static int look(void)
{
    static int64_t clock, since_files;
    if (clock == 0)
        clock = now();
    int64_t nanoseconds = passed(&clock);
    if (options.dirty)
        write_memory(nanoseconds);
    else
        verify_memory();
    since_files += nanoseconds;
    if (since_files < 250000000)
        return 0;
    since_files = 0;
    send_round(&thread_loop, "the echoing thread");
    look_at_timers();
    look_at_files();
    look_at_itself();
    return 1;
}

/* Echoes the first process's numbers and checks itself; never returns. */
static void __attribute__((noreturn)) watch(int socket)
{
    begin();
    for (;;) {
        struct pollfd readable = { .fd = socket, .events = POLLIN };
        uint64_t number;
        if (poll(&readable, 1, pause_between_looks()) == 1) {
            ssize_t count = read(socket, &number, sizeof number);
            if (count == 0)
                exit(0); /* The first process has exited. */
            if (count == sizeof number && write(socket, &number, sizeof number) != sizeof number)
                anomaly("cannot answer: %s", strerror(errno));
        }
        look();
    }
}

static struct loop children[most_processes];
static pid_t child_ids[most_processes];

static void start_children(void)
{
    for (int i = 1; i < options.processes; i++) {
        int sockets[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
            die("socketpair");
        child_ids[i] = fork();
        if (child_ids[i] < 0)
            die("fork");
        if (child_ids[i] == 0) {
            close(sockets[0]);
            self = i;
            watch(sockets[1]);
        }
        close(sockets[1]);
        nonblocking(sockets[0]);
        children[i] = (struct loop){ .to = sockets[0], .from = sockets[0] };
    }
}

static void look_at_children(void)
{
    for (int i = 1; i < options.processes; i++)
        send_round(&children[i], "another process");
    for (pid_t ended; (ended = waitpid(-1, NULL, WNOHANG)) > 0;)
        anomaly("process %d has ended", ended);
}

/* ---------------------------------------------------------------- TCP server */

struct client {
    int socket;
    char in[256], out[1024];
    size_t in_length, out_length;
    int beat; /* milliseconds; 0 for none */
    int64_t clock, since_beat;
    uint64_t beats;
};

static struct client clients[most_clients];
static int listener, events;
static uint64_t answers, reports;

static int write_report(char *text, size_t size)
{
    uint64_t sums[5] = { 0 };
    unsigned anomalies = 0, steps = 0;
    for (int i = 0; i < options.processes; i++) {
        struct findings *of = &shared->of[i];
        sums[0] += of->verified, sums[1] += of->written, sums[2] += of->messages, sums[3] += of->ticks;
        sums[4] += of->records, anomalies += of->anomalies, steps += of->clock_steps;
    }
    return snprintf(text, size,
        "{\"canary\":2,\"seq\":%llu,\"processes\":%d,\"memory\":%llu,\"pages_verified\":%llu,\"pages_written\":%llu,"
        "\"messages\":%llu,\"ticks\":%llu,\"records\":%llu,\"answers\":%llu,\"clock_steps\":%u,\"anomalies\":%u,"
        "\"anomaly\":\"%s\"}\n",
        (unsigned long long)++reports, options.processes, (unsigned long long)options.memory,
        (unsigned long long)sums[0], (unsigned long long)sums[1], (unsigned long long)sums[2],
        (unsigned long long)sums[3], (unsigned long long)sums[4], (unsigned long long)answers, steps, anomalies,
        shared->anomaly);
}

static int is_filled(void)
{
    for (int i = 0; i < options.processes; i++)
        if (!shared->of[i].is_filled)
            return 0;
    return 1;
}

static void listen_to_others(void)
{
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(options.port) };
    int yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof name) < 0 || listen(listener, 16) < 0)
        die("listen");
    events = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = most_clients };
    if (events < 0 || epoll_ctl(events, EPOLL_CTL_ADD, listener, &event) < 0)
        die("epoll");
    for (int i = 0; i < most_clients; i++)
        clients[i].socket = -1;
}

static void hang_up(struct client *client)
{
    close(client->socket);
    client->socket = -1;
}

static void welcome(void)
{
    int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0)
        return;
    for (int i = 0; i < most_clients; i++)
        if (clients[i].socket < 0) {
            int yes = 1;
            setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
            clients[i] = (struct client){ .socket = socket };
            if (epoll_ctl(events, EPOLL_CTL_ADD, socket, &event) == 0)
                return;
            hang_up(&clients[i]);
            return;
        }
    close(socket);
}

/* Sends buffered output; keeps the part for which the socket has no room. */
static void flush(struct client *client)
{
    while (client->out_length > 0) {
        ssize_t count = send(client->socket, client->out, client->out_length, MSG_NOSIGNAL);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count < 0)
            return hang_up(client);
        client->out_length -= count;
        memmove(client->out, client->out + count, client->out_length);
    }
}

static void answer(struct client *client, const char *line)
{
    size_t room = sizeof client->out - client->out_length;
    char *end = client->out + client->out_length;
    int length = 0, milliseconds;
    if (!strcmp(line, "report"))
        length = write_report(end, room);
    else if (sscanf(line, "beat %d", &milliseconds) == 1 && milliseconds > 0)
        client->beat = milliseconds, client->clock = now(), client->since_beat = 0;
    else if (!strcmp(line, "break"))
        pages[page_count / 2].pattern[64] ^= 1, pages[page_count / 2].seal ^= 1;
    else if ((length = strlen(line) + 1) < (int)room)
        memcpy(end, line, length - 1), end[length - 1] = '\n';
    if (length < 0 || (size_t)length >= room)
        return hang_up(client);
    client->out_length += length;
    answers++;
}

static void hear(struct client *client)
{
    ssize_t count = recv(client->socket, client->in + client->in_length, sizeof client->in - 1 - client->in_length, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0)
        return hang_up(client);
    client->in_length += count;
    client->in[client->in_length] = 0;
    for (char *end; client->socket >= 0 && (end = strchr(client->in, '\n'));) {
        *end = 0;
        answer(client, client->in);
        client->in_length -= end + 1 - client->in;
        memmove(client->in, end + 1, client->in_length + 1);
    }
    if (client->in_length == sizeof client->in - 1)
        return hang_up(client);
    if (client->socket >= 0)
        flush(client);
}

static void beat(struct client *client)
{
    client->since_beat += passed(&client->clock);
    /* After a replaced clock, the elapsed time is unknown: send a beat now. */
    if (client->since_beat < client->beat * 1000000ll && client->since_beat > 0)
        return;
    client->since_beat = 0;
    if (client->out_length == 0)
        client->out_length = snprintf(client->out, sizeof client->out, "beat %llu\n",
            (unsigned long long)++client->beats);
    flush(client);
}

/* Returns the time in milliseconds until the next beat or check is due. */
static int next_pause(void)
{
    int pause = pause_between_looks();
    for (int i = 0; i < most_clients; i++)
        if (clients[i].socket >= 0 && clients[i].beat > 0 && clients[i].beat < pause)
            pause = clients[i].beat;
    return pause;
}

static void serve(void)
{
    struct epoll_event ready[8];
    int count = epoll_wait(events, ready, 8, next_pause());
    for (int i = 0; i < count; i++) {
        if (ready[i].data.u32 == most_clients)
            welcome();
        else if (clients[ready[i].data.u32].socket >= 0)
            hear(&clients[ready[i].data.u32]);
    }
    for (int i = 0; i < most_clients; i++)
        if (clients[i].socket >= 0 && clients[i].beat > 0)
            beat(&clients[i]);
}

static void speak(void)
{
    static uint64_t spoken;
    if (alarms / 2 == spoken || !is_filled())
        return;
    spoken = alarms / 2;
    char text[1024];
    int length = write_report(text, sizeof text);
    /* Ignore a failed write: a reader that does not read misses this report. */
    if (write(STDOUT_FILENO, text, length) < 0)
        return;
}

/* ---------------------------------------------------------------- the first process */

static uint64_t size_of(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    switch (*end) {
    case 'G': value <<= 10; /* fall through */
    case 'M': value <<= 10; /* fall through */
    case 'K': value <<= 10;
    }
    return value;
}

static void read_options(char **words)
{
    for (; *words; words++) {
        const char *value = strchr(*words, '=');
        size_t length = value ? value++ - *words : 0;
#define IS(name) (length == sizeof name - 1 && !memcmp(*words, name, length))
        if (IS("memory"))
            options.memory = size_of(value);
        else if (IS("dirty"))
            options.dirty = size_of(value);
        else if (IS("processes"))
            options.processes = atoi(value);
        else if (IS("port"))
            options.port = atoi(value);
        else if (IS("tmp"))
            options.tmp = value;
        else if (IS("log"))
            options.log = value;
        else {
            fprintf(stderr, "canary: unknown argument: %s\n", *words);
            exit(64);
        }
    }
    if (options.processes < 1 || options.processes > most_processes) {
        fprintf(stderr, "canary: processes must be 1 to %d\n", most_processes);
        exit(64);
    }
}

static void on_end(int signal)
{
    (void)signal;
    _exit(0);
}

int main(int count, char **words)
{
    (void)count;
    read_options(words + 1);
    signal(SIGTERM, on_end);
    signal(SIGINT, on_end);
    signal(SIGPIPE, SIG_IGN);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("no memory");
    mkdir(options.log, 0700);
    start_children();
    begin();
    listen_to_others();
    for (;;) {
        serve();
        if (look())
            look_at_children();
        speak();
    }
}
