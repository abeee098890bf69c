/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vt - what somebody at a terminal sees: bytes on stdin, which a program wrote, as
 * the text of the screen.
 *
 * usage: vt [ROWS COLUMNS]     (24 80, which it has at first)
 *
 * The last screen is printed, of a program that used the alternate screen the last
 * of that.  Colours are not shown.  Exits 1 when the alternate screen was not left,
 * the cursor is hidden, or there was something that it does not know.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 200, COLS = 400 };

static char cell[ROWS][COLS][5];        /* a character of UTF-8; "" is a blank */
static int rows = 24, cols = 80, row, col;
static bool hidden, alternate, left, unknown;

static void clear(int from, int to)
{
	memset(cell[from], 0, (size_t)(to - from) * sizeof cell[0]);
}

static void print(void)
{
	for (int r = 0; r < rows; r++) {
		int end = cols;
		while (end > 0 && !cell[r][end - 1][0])
			end--;
		for (int c = 0; c < end; c++)
			fputs(cell[r][c][0] ? cell[r][c] : " ", stdout);
		putchar('\n');
	}
}

static void set_mode(int mode, bool on)
{
	if (mode == 25) {
		hidden = !on;
	} else if (mode == 1049) {
		left |= alternate && !on;
		if (on)
			clear(0, ROWS);
		alternate = on;
	} else {
		unknown = true;
	}
}

/* Behind ESC [. */
static void control(void)
{
	int n[2] = { 0 }, i = 0, c = getchar();
	bool private = c == '?';
	if (private)
		c = getchar();
	for (; c == ';' || (c >= '0' && c <= '9'); c = getchar()) {
		if (c == ';')
			i = 1;
		else
			n[i] = 10 * n[i] + c - '0';
	}
	if (private && (c == 'h' || c == 'l'))
		set_mode(n[0], c == 'h');
	else if (c == 'H')
		row = (n[0] ? n[0] : 1) - 1, col = (n[1] ? n[1] : 1) - 1;
	else if (c == 'J' && n[0] == 2)
		clear(0, ROWS);
	else if (c == 'K' && n[0] == 0 && row < ROWS && col < COLS)
		memset(cell[row][col], 0, (size_t)(COLS - col) * sizeof cell[0][0]);
	else if (c != 'm')
		unknown = true;
}

static void put(int c)
{
	int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
	char text[5] = { (char)c };
	for (int i = 1; i <= more; i++)
		text[i] = (char)getchar();
	unknown |= row >= (rows > 24 ? rows : 24) || col >= (cols > 80 ? cols : 80);    // It does not wrap.
	if (row < ROWS && col < COLS)
		strcpy(cell[row][col++], strcmp(text, " ") ? text : "");
}

int main(int argc, char **argv)
{
	if (argc == 3)
		rows = atoi(argv[1]), cols = atoi(argv[2]);
	for (int c; !left && (c = getchar()) != EOF;) {
		if (c == '\033' && (c = getchar()) == '[')
			control();
		else if (c == '\r')
			col = 0;
		else if (c == '\n')
			row++, col = 0;
		else if (c < ' ')
			unknown = true;
		else
			put(c);
	}
	print();
	return alternate || hidden || unknown;
}
