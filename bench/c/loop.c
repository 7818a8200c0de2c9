/* The floor: keeps N programs alive by fork, exec and wait, and does nothing else. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(char *prog)
{
	if (fork() == 0) {
		execl(prog, prog, (char *)0);
		_exit(127);
	}
}

int main(int argc, char **argv)
{
	int n;

	if (argc != 3)
		return 2;
	for (n = atoi(argv[1]); n > 0; n--)
		start(argv[2]);
	while (wait(0) > 0)
		start(argv[2]);
	return 0;
}
