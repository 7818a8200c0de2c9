/* The program under supervision: says when it began, and who it is, and sleeps. Before that it may have lines
   to write: then it says so again when the last one is out. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void report(void)
{
	struct timespec t;
	char line[64];
	int fd, n;

	clock_gettime(CLOCK_MONOTONIC, &t);
	fd = open(getenv("HOLDFAST_BENCH_FIFO"), O_WRONLY);
	n = snprintf(line, sizeof line, "%d %lld\n", (int)getpid(), t.tv_sec * 1000000000LL + t.tv_nsec);
	if (fd < 0 || write(fd, line, n) != n)
		exit(1);
	close(fd);
}

/* 64 bytes a line, 4 KiB a write, as stdio does it. */
static void chatter(long writes)
{
	char block[4096];
	int i;

	memset(block, 'x', sizeof block);
	for (i = 63; i < sizeof block; i += 64)
		block[i] = '\n';
	while (writes-- > 0)
		if (write(1, block, sizeof block) != sizeof block)
			exit(1);
}

int main(void)
{
	char *writes = getenv("HOLDFAST_BENCH_WRITES");

	report();
	if (writes) {
		chatter(atol(writes));
		report();
	}
	for (;;)
		pause();
}
