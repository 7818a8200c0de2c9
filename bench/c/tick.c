/* The program under supervision: says when it began, and who it is, and sleeps. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	struct timespec t;
	char line[64];
	int fd, n;

	clock_gettime(CLOCK_MONOTONIC, &t);
	fd = open(getenv("HOLDFAST_BENCH_FIFO"), O_WRONLY);
	n = snprintf(line, sizeof line, "%d %lld\n", (int)getpid(), t.tv_sec * 1000000000LL + t.tv_nsec);
	if (fd < 0 || write(fd, line, n) != n)
		return 1;
	close(fd);
	for (;;)
		pause();
}
