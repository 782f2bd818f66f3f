/* Reading and writing CSV: dialects, grouping by key, wrong rows. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "csvkit.h"

static const char orders[] =
    "syntax csv delimiter \";\"\nencoding utf-8\n"
    "message Order key No {\n    No text required\n    Buyer text\n    Date date pattern \"dd.MM.yyyy\"\n"
    "    group Line 0..* {\n        Item text\n        Qty decimal mark \",\"\n    }\n}\n";

static void reads(const char *format, const char *text, const char *want)
{
    struct kit k;
    kit_open(&k, format, text, strlen(text));
    kit_dump(&k);
    if (strcmp(k.out.p ? k.out.p : "", want) != 0)
        print_error("got:\n%s\nwant:\n%s\n", k.out.p ? k.out.p : "", want);
    assert_string_equal(k.out.p ? k.out.p : "", want);
    kit_close(&k);
}

static void groups_rows(void **state)
{
    (void)state;
    reads(orders, "No;Buyer;Date;Item;Qty\nA;X;01.02.2026;i1;1,5\nA;X;01.02.2026;i2;2\nB;Y;;i3;\n",
          "[0 23..65]\nNo=A Buyer=X Date=2026-02-01 Line{Item=i1 Qty=1.5} Line{Item=i2 Qty=2}\n[0 65..74]\nNo=B "
          "Buyer=Y Line{Item=i3}\n");
}

static void line_ends(void **state)
{
    (void)state;
    static const char f[] = "syntax csv\nmessage M {\n A text\n B text\n}\n";
    reads(f, "A,B\r\n1,2\r\n\r\n3,4\n5,6\r7,8",
          "[0 5..10]\nA=1 B=2\n[0 12..16]\nA=3 B=4\n[0 16..20]\nA=5 B=6\n[0 20..23]\nA=7 B=8\n");
}

static void quotes(void **state)
{
    (void)state;
    static const char f[] = "syntax csv\nmessage M {\n A text\n B text\n}\n";
    reads(f, "A,B\n\"a\"\"b\",\"x\ny\"\n\"\", z \n,\"1,2\"\n",
          "[0 4..17]\nA=a\"b B=x\\x0Ay\n[0 17..24]\nA= B= z \n[0 24..31]\nB=1,2\n");
}

static void sep_bom_order(void **state)
{
    (void)state;
    static const char f[] = "syntax csv\nmessage M {\n A text\n B text\n}\n";
    reads(f, "\xEF\xBB\xBFsep=;\r\nX;B;A;\r\n1;2;3;\r\n", "[0 18..26]\nA=3 B=2\n");
    reads("syntax csv delimiter tab header no\nmessage M {\n A text at 2\n B text\n}\n", "x\ty\tz\n",
          "[0 0..6]\nA=y B=z\n");
    reads("syntax csv delimiter none\nmessage M {\n A text\n}\n", "a,b\n\n\"c\n",
          "[0 0..4]\nA=a,b\n[0 4..5]\n\n[0 5..8]\nA=\"c\n");
}

static void deep_levels(void **state)
{
    (void)state;
    static const char f[] = "syntax csv\nmessage O key No {\n No text\n group L 0..* key Nr {\n Nr text\n group B "
                            "0..* {\n X text\n }\n }\n}\n";
    reads(f, "No,Nr,X\nA,1,a\nA,1,b\nA,2,c\nB,2,\n",
          "[0 8..26]\nNo=A L{Nr=1 B{X=a} B{X=b}} L{Nr=2 B{X=c}}\n[0 26..31]\nNo=B L{Nr=2}\n");
}

/* A row that is void from a group on has none of it, whatever that group requires. */
static void void_levels(void **state)
{
    (void)state;
    static const char f[] = "syntax csv\nmessage O key No {\n No text\n group L 0..* key Nr {\n Nr text required\n"
                            " group B 0..* {\n X text required\n }\n }\n}\n";
    reads(f, "No,Nr,X\nA,,\nB,1,a\nB,,\nB,1,\nC,1,\nC,2,b\n",
          "[0 8..12]\nNo=A\n[0 12..27]\nNo=B L{Nr=1 B{X=a}} L{Nr=1}\n[0 27..38]\nNo=C L{Nr=1} L{Nr=2 B{X=b}}\n");
    reads(f, "No,Nr,X\nA,,x\n", "[3 8..13]\n[REQUIRED 2:3]\n");
}

static void mixed_columns(void **state)
{
    (void)state;
    static const char f[] =
        "syntax csv\nmessage O key No {\n No text\n By text\n group L 1..* key Nr {\n Nr text\n X text\n }\n}\n";
    reads(f, "No,Nr,By,X\nA,1,u,a\nA,2,u,b\n\"A\",3,u,c\n",
          "[0 11..37]\nNo=A By=u L{Nr=1 X=a} L{Nr=2 X=b} L{Nr=3 X=c}\n");
}

static void tags(void **state)
{
    (void)state;
    static const char f[] = "syntax csv delimiter \";\" header no tag 1\ngroup Head 1 at \"F\" {\n Id text\n}\n"
                            "message O at \"H\" {\n No text\n group L 0..* at \"L\" {\n Item text\n group N 0..* at "
                            "\"N\" {\n T text\n }\n }\n}\n";
    reads(f, "F;x\nH;1\nL;a\nN;n1\nL;b\nH;2\nQ;z\nH;3\n",
          "[0 4..21]\nNo=1 L{Item=a N{T=n1}} L{Item=b}\n[3 21..29]\n[CSV_TAG 7:1]\n[0 29..33]\nNo=3\n");
}

static void charsets(void **state)
{
    (void)state;
    static const char f[] = "syntax csv\nencoding windows-1250\nmessage M {\n A text\n B text\n}\n";
    reads(f, "A,B\n\x9Crodek,\"\xB9\"\n", "[0 4..15]\nA=środek B=ą\n");
    reads(f, "A,B\n\x81,1\n", "[3 4..8]\n[ENCODING_BAD 2:1]\n");
    reads("syntax csv\nmessage M {\n A text\n}\n", "A\n\xE9\xE9l\nok\n",
          "[3 2..6]\n[ENCODING_BAD 2:1]\n[0 6..9]\nA=ok\n");
}

static void utf16(void **state)
{
    (void)state;
    static const char f[] = "syntax csv\nencoding utf-8\nmessage M {\n A text\n B text\n}\n";
    static const char text[] = "\xFF\xFE" "A\0,\0B\0\n\0\x41\x01,\0\"\0x\0\"\0\n\0";
    struct kit k;
    kit_open(&k, f, text, sizeof text - 1);
    kit_dump(&k);
    assert_string_equal(k.out.p, "[0 10..22]\nA=Ł B=x\n");
    kit_close(&k);
}

/* Half a unit, half a pair or both at the end, also behind empty lines: never the end of a good file. */
static void utf16_that_is_cut(void **state)
{
    (void)state;
    static const char f[] = "syntax csv\nencoding utf-16\nmessage M {\n A text\n}\n";
    static const struct { const char *end; size_t n; } cut[] = {
        { "\x34\xD8\x1E", 3 }, { "\x34\xD8", 2 }, { "\x34", 1 }, { "\r\0\x34", 3 }, { "\r\0\r\0\x34", 5 }, { "\n\0\n\0\x34\xD8\x1E", 7 },
    };
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        struct kit k;
        char text[40] = "\xFF\xFE" "A\0\n\0x\0";
        memcpy(text + 8, cut[i].end, cut[i].n);
        kit_open(&k, f, text, 8 + cut[i].n);
        kit_dump(&k);
        assert_non_null(strstr(k.out.p, "[4]\n[ENCODING_BAD "));
        kit_close(&k);
    }
}

static void wrong_rows(void **state)
{
    (void)state;
    reads(orders, "No;Buyer;Date;Item;Qty\nA;X;01.02.2026;i1;1,x\nA;X;01.02.2026;i2;2\nB;Y;;i3\nC;Z;;i4;1\n",
          "[3 23..65]\n[NUM_BAD 2:19]\n[3 65..73]\n[ROW_SHORT 4:1]\n[0 73..83]\nNo=C Buyer=Z Line{Item=i4 Qty=1}\n");
    reads(orders, "No;Buyer;Date;Item;Qty\nA;X;;i1;1\nA;X;;i2;1;9\nB\"x;1;1;1;1\nC;;;;\n",
          "[3 23..45]\n[ROW_LONG 3:11]\n[3 45..57]\n[CSV_STRAY_QUOTE 4:2]\n[0 57..63]\nNo=C\n");
    reads(orders, "No;Buyer;Date;Item;Qty\nA;X;;i1;1\nB;\"open;1\n", "[4]\n[CSV_QUOTE 3:3]\n");
    reads(orders, "No;Buyr;Date;Item;Qty;No\n", "[4]\n[CSV_HEADER_TWICE 1:23]\n");
    reads(orders, "N;Buyer;Date;Item;Qty\n", "[4]\n[CSV_COLUMN 1:1]\n");
    reads(orders, "", "[4]\n[EMPTY_FILE 1:1]\n");
    reads(orders, "No;Buyer;Date;Item;Qty\n", "");
    reads(orders, "No;Buyer;Date;Item;Qty\n;X;;i;1\n", "[3 23..31]\n[REQUIRED 2:1]\n");
}

static void nul_bytes(void **state)
{
    (void)state;
    static const char text[] = "A\n1\0002\n3\n\"\0\"\n";
    struct kit k;
    kit_open(&k, "syntax csv\nmessage M {\n A text\n}\n", text, sizeof text - 1);
    kit_dump(&k);
    assert_string_equal(k.out.p, "[3 2..6]\n[CSV_NUL 2:2]\n[0 6..8]\nA=3\n[3 8..12]\n[CSV_NUL 4:2]\n");
    kit_close(&k);
}

static void keys_split(void **state)
{
    (void)state;
    reads(orders, "No;Buyer;Date;Item;Qty\nA;X;;i1;1\nB;X;;i1;1\nA;X;;i2;1\n",
          "[0 23..33]\nNo=A Buyer=X Line{Item=i1 Qty=1}\n[0 33..43]\nNo=B Buyer=X Line{Item=i1 "
          "Qty=1}\n[4]\n[KEY_SPLIT 4:1]\n");
    reads("syntax csv\nmessage M key A again {\n A text\n group L 0..* {\n B text\n }\n}\n", "A,B\n1,a\n2,b\n1,c\n",
          "[0 4..8]\nA=1 L{B=a}\n[0 8..12]\nA=2 L{B=b}\n[0 12..16]\nA=1 L{B=c}\n");
    reads("syntax csv\nmessage M key A {\n A text\n B text\n}\n", "A,B\n1,a\n1,b\n2,c\n",
          "[0 4..8]\nA=1 B=a\n[3 8..12]\n[KEY_SPLIT 3:1]\n[0 12..16]\nA=2 B=c\n");
}

/* A message that is too large is refused, the next one is read. */
static void large_messages(void **state)
{
    (void)state;
    struct buf text = { 0 };
    struct kit k;
    buf_text(&text, "No;Buyer;Date;Item;Qty\n");
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "A;X;01.02.2026;item %d;1\n", i);
    buf_text(&text, "B;Y;;i;1\n");
    kit_open_file(&k, orders, text.p, text.n);
    k.message.limit = 300000;
    kit_dump(&k);
    assert_true(slice_starts(buf_slice(&k.out), SLICE("[3 23..")));
    assert_non_null(strstr(k.out.p, "[LIMIT_MESSAGE "));
    assert_non_null(strstr(k.out.p, "No=B Buyer=Y Line{Item=i Qty=1}"));
    kit_close(&k);
    buf_release(&text);
}

/* Half a million keys in no order: more than the table takes, so the rest is compared at the end. */
static void many_keys(void **state)
{
    (void)state;
    enum { MANY = 500000 };
    struct buf text = { 0 };
    buf_text(&text, "A,B\n");
    for (int i = MANY; i-- > 0;)
        buf_printf(&text, "key %d,b\n", i);
    for (int again = 0; again < 2; again++) {
        struct kit k;
        struct node *m = NULL;
        size_t good = 0;
        kit_open(&k, "syntax csv\nmessage M key A {\n A text\n group L 0..* {\n B text\n }\n}\n", text.p, text.n);
        while ((k.rc = reader_read(&k.reader, &k.message, &m, &k.problems)) == OK) {
            good++;
            arena_reset(&k.message);
        }
        assert_int_equal(good, MANY + again);
        assert_int_equal(k.rc, again ? STOP : END);
        if (again) {
            assert_string_equal(k.problems.first->code, "KEY_SPLIT");
            assert_int_equal(k.problems.first->place.line, MANY + 2);
            assert_non_null(strstr(k.problems.first->text.p, "line 500000"));
        }
        kit_close(&k);
        buf_text(&text, "key 1,b\n");
    }
    buf_release(&text);
}

static void disagreement(void **state)
{
    (void)state;
    reads(orders, "No;Buyer;Date;Item;Qty\nA;X;;i1;1\nA;Y;;i2;1\nA;Y;;i3;1\n",
          "[2 23..53]\n[ROWS_DISAGREE 3:3]\nNo=A Buyer=X Line{Item=i1 Qty=1} Line{Item=i2 Qty=1} Line{Item=i3 "
          "Qty=1}\n");
}

static void limits(void **state)
{
    (void)state;
    size_t n = 40u << 20;
    char *text = malloc(n);
    memset(text, 'x', n);
    memcpy(text, "A,B\n", 4);
    struct kit k;
    kit_open(&k, "syntax csv\nmessage M {\n A text\n B text\n}\n", text, n);
    kit_dump(&k);
    assert_non_null(strstr(k.out.p, "LIMIT_FIELD 2:1"));
    kit_close(&k);
    memset(text + 4, ',', n - 4);
    kit_open(&k, "syntax csv\nmessage M {\n A text\n B text\n}\n", text, n);
    kit_dump(&k);
    assert_non_null(strstr(k.out.p, "LIMIT_"));
    kit_close(&k);
    free(text);
}

/* The same through a file whose window is crossed in the middle of messages. */
static void windows(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_text(&text, "No;Buyer;Date;Item;Qty\n");
    for (int o = 0; o < 300; o++)
        for (int l = 0; l < 100; l++)
            buf_printf(&text, "order %d;\"buyer \"\"%d\"\"\";01.02.2026;item %d;%d,5\n", o, o, l, l);
    struct kit a, b;
    kit_open(&a, orders, text.p, text.n);
    kit_dump(&a);
    kit_open_file(&b, orders, text.p, text.n);
    kit_dump(&b);
    assert_true(a.out.n > 100000);
    assert_int_equal(a.out.n, b.out.n);
    assert_memory_equal(a.out.p, b.out.p, a.out.n);
    kit_close(&a);
    kit_close(&b);
    buf_release(&text);
}

static void round_trip(const char *format, const char *text, const char *want)
{
    struct kit k;
    kit_open(&k, format, text, strlen(text));
    kit_rewrite(&k);
    if (strcmp(k.out.p ? k.out.p : "", want) != 0)
        print_error("got:\n%s\nwant:\n%s\n", k.out.p ? k.out.p : "", want);
    assert_string_equal(k.out.p ? k.out.p : "", want);
    kit_close(&k);
}

static void writes(void **state)
{
    (void)state;
    static const char text[] = "No;Buyer;Date;Item;Qty\nA;\"X;Y\";01.02.2026;i1;1,5\nA;\"X;Y\";01.02.2026;\" "
                               "i2\";2\nB;Y;;\"say \"\"hi\"\"\";\nC;;;;\n";
    round_trip(orders, text, text);
    static const char win[] = "syntax csv delimiter \"|\" newline crlf bom yes\nmessage M {\n A text always\n B text "
                              "always nothing \"0\"\n}\n";
    round_trip(win, "A|B\n1|2\n|\n", "\xEF\xBB\xBF" "A|B\r\n1|2\r\n\"\"|0\r\n");
    round_trip("syntax csv\nmessage M {\n A text\n}\n", "A\n\"\"\nx\n", "A\n\"\"\nx\n");
}

/* A text that looks like a byte order mark stays text: bare at the head of a file it would be passed over. */
static void marks_in_texts(void **state)
{
    (void)state;
    static const char f[] = "syntax csv header no\nmessage M {\n A text\n B text\n}\n";
    round_trip(f, "\xEF\xBB\xBF\xEF\xBB\xBF" "a,b\n", "\"\xEF\xBB\xBF" "a\",b\n");
    static const char titles[] = "syntax csv\nmessage M {\n A text at \"\\u{FEFF}A\"\n}\n";
    round_trip(titles, "\"\xEF\xBB\xBF" "A\"\n1\n", "\"\xEF\xBB\xBF" "A\"\n1\n");
    static const char latin[] = "syntax csv header no\nencoding iso-8859-1\nmessage M {\n A text\n B text\n}\n";
    round_trip(latin, "\"\xEF\xBB\xBF" "a\",b\n\"\xFE\xFF\",c\n", "\"\xEF\xBB\xBF" "a\",b\n\"\xFE\xFF\",c\n");
    static const char wide[] = "syntax csv header no\nencoding utf-16le\nmessage M {\n A text\n}\n";
    static const char sep[] = "syntax csv\nmessage M {\n A text at \"sep=,\"\n}\n";
    round_trip(sep, "\"sep=,\"\n1\n", "\"sep=,\"\n1\n");
    static const char row[] = "syntax csv delimiter none header no\nmessage M {\n A text\n}\n";
    round_trip(row, "\"sep=;\"\na;b\n", "\"sep=;\"\na;b\n");
    struct kit k;
    kit_open(&k, wide, "\"\0\xFE\xFF\"\0\n", 8);
    kit_rewrite(&k);
    assert_int_equal(k.out.n, 8);
    kit_close(&k);
    static const char none[] = "syntax csv quote none header no\nmessage M {\n A text\n}\n";
    kit_open(&k, none, "\xEF\xBB\xBF\xEF\xBB\xBF" "a\n", 8);
    kit_rewrite(&k);
    assert_string_equal(k.problems.first->code, "CSV_CANNOT_SPELL");
    assert_non_null(strstr(k.problems.first->hint.p, "bom yes"));
    kit_close(&k);
    static const char headed[] = "syntax csv quote none header no bom yes\nmessage M {\n A text\n}\n";
    round_trip(headed, "\xEF\xBB\xBF\xEF\xBB\xBF" "a\n", "\xEF\xBB\xBF\xEF\xBB\xBF" "a\n");
}

static void never_quotes(void **state)
{
    (void)state;
    static const char f[] =
        "syntax csv delimiter \"|\" quote none header no\nreplace \"x\" \"y\"\nmessage M {\n A text\n}\n";
    round_trip(f, "axa\n\"q\n", "aya\n\"q\n");
    static const char g[] = "syntax csv delimiter \",\" quote all newline lf\nmessage M {\n A text\n B text\n}\n";
    round_trip(g, "A,B\n1,\n", "\"A\",\"B\"\n\"1\",\n");
}

/* Texts that a spreadsheet would run get an apostrophe; numbers, and texts that only hold such signs, stay. */
static void sheet_safe(void **state)
{
    (void)state;
    static const char f[] = "syntax csv delimiter \";\" header no sheet-safe\nmessage M {\n A text\n B decimal mark \",\"\n}\n";
    round_trip(f, "=cmd|'/c calc'!A0;-5,00\n+1+1;1\n-2+3;1\n@SUM(A1);1\n\"\t=1\";1\n\"\r=1\";1\n\xEF\xBC\x9D" "1;1\n  =1;1\n",
               "'=cmd|'/c calc'!A0;-5,00\n'+1+1;1\n'-2+3;1\n'@SUM(A1);1\n'\t=1;1\n\"'\r=1\";1\n'\xEF\xBC\x9D" "1;1\n'  =1;1\n");
    static const char stays[] = "-5.00;1\n+4712345678;1\n-1.234,50;1\na=b;1\n'=1;1\n;1\n";
    round_trip(f, stays, stays);
    round_trip(f, "-;1\n+.;1\n", "'-;1\n'+.;1\n");
    static const char data[] = "syntax csv delimiter \";\" header no\nmessage M {\n A text\n}\n";
    round_trip(data, "=1+1\n\"\t@x\"\n", "=1+1\n\"\t@x\"\n");
}

static void wrong_formats(void **state)
{
    (void)state;
    static const struct { const char *format, *code; } bad[] = {
        { "syntax csv delimiter \";;\"\nmessage M {\n A text\n}\n", "CSV_OPTION" },
        { "syntax csv header maybe\nmessage M {\n A text\n}\n", "CSV_OPTION" },
        { "syntax csv sheet-safe perhaps\nmessage M {\n A text\n}\n", "CSV_OPTION" },
        { "syntax csv indent 2\nmessage M {\n A text\n}\n", "SYNTAX_OPTION" },
        { "syntax csv\nmessage M {\n group A 0..* {\n X text\n }\n group B 0..* {\n Y text\n }\n}\n", "CSV_TREE" },
        { "syntax csv header no\nmessage M {\n A text at \"x\"\n}\n", "CSV_AT" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct kit k;
        assert_false(kit_format(&k, bad[i].format));
        assert_non_null(k.problems.first);
        assert_string_equal(k.problems.first->code, bad[i].code);
        arena_release(&k.arena);
    }
}

static const char invoices[] = "syntax csv\nmessage I key No {\n No integer\n Who text\n group L 0..* file lines "
                               "join No {\n Item text\n Qty decimal\n }\n}\n";

/* Rows of a second file, in any order, and written into one. */
static void companions(void **state)
{
    (void)state;
    static const char lines[] = "No,Item,Qty\n007,a,1\n8,c,3\n8,d,4\n7,b,2\n99,z,1\n";
    struct kit k;
    struct source s;
    struct sink main_sink, lines_sink;
    struct companion_file in = { .name = SLICE("lines"), .source = &s },
                          out = { .name = SLICE("lines"), .sink = &lines_sink };
    kit_start(&k, invoices);
    source_open_text(&k.source, SLICE("No,Who\n7,X\n8,Y\n9,Z\n"), "test.csv", NULL);
    source_open_text(&s, slice_of(lines), "lines.csv", NULL);
    source_locate(&k.source, &k.problems);
    k.reader = (struct reader){ .source = &k.source, .format = k.format, .companions = &in, .ncompanions = 1 };
    k.rc = reader_open(&k.reader, &k.arena, &k.problems);
    sink_open_memory(&main_sink, "main");
    sink_open_memory(&lines_sink, "lines");
    struct writer w = { .sink = &main_sink, .format = k.format, .companions = &out, .ncompanions = 1 };
    assert_int_equal(writer_open(&w, &k.arena, &k.problems), OK);
    struct node *m = NULL;
    while ((k.rc = reader_read(&k.reader, &k.message, &m, &k.problems)) == OK) {
        kit_tree(&k.out, m);
        buf_byte(&k.out, '\n');
        assert_int_equal(writer_write(&w, m, &k.problems), OK);
        arena_reset(&k.message);
    }
    assert_int_equal(k.rc, END);
    buf_byte(&k.out, 0);
    assert_string_equal(
        k.out.p,
        "No=7 Who=X L{Item=a Qty=1} L{Item=b Qty=2}\nNo=8 Who=Y L{Item=c Qty=3} L{Item=d Qty=4}\nNo=9 Who=Z\n");
    assert_string_equal(k.problems.first->code, "JOIN_ORPHAN");
    assert_string_equal(k.problems.first->place.file, "lines.csv");
    assert_int_equal(k.problems.first->place.line, 6);
    assert_true(slice_is(k.problems.first->value, "99"));
    writer_close(&w, &k.problems);
    assert_true(slice_is(buf_slice(&main_sink.buf), "No,Who\n7,X\n8,Y\n9,Z\n"));
    assert_true(slice_is(buf_slice(&lines_sink.buf), "No,Item,Qty\n7,a,1\n7,b,2\n8,c,3\n8,d,4\n"));
    sink_release(&main_sink);
    sink_release(&lines_sink);
    kit_close(&k);
    reads(invoices, "No,Who\n7,X\n", "[4]\n[CSV_COMPANION 0:0]\n");
}

/* A bad row refuses the message that it is of, wherever it stands in its file. */
static void companion_rows_that_wait(void **state)
{
    (void)state;
    static const char *const lines[] = { "No,Item,Qty\n7,a,1\n8,c,3x\n9,z,1\n", "No,Item,Qty\n8,c,3x\n7,a,1\n9,z,1\n",
                                         "No,Item,Qty\n7,a,1\n8,c,3x\n9,z,1\n7,b,2\n8,d,4\n" };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct kit k;
        struct source s;
        struct companion_file in = { .name = SLICE("lines"), .source = &s };
        static const int want[] = { OK, SKIP, OK, END };
        struct node *m = NULL;
        kit_start(&k, invoices);
        source_open_text(&k.source, SLICE("No,Who\n7,X\n8,Y\n9,Z\n"), "test.csv", NULL);
        source_open_text(&s, slice_of(lines[i]), "lines.csv", NULL);
        source_locate(&k.source, &k.problems);
        k.reader = (struct reader){ .source = &k.source, .format = k.format, .companions = &in, .ncompanions = 1 };
        assert_int_equal(reader_open(&k.reader, &k.arena, &k.problems), OK);
        for (size_t n = 0; n < 4; n++) {
            assert_int_equal(reader_read(&k.reader, &k.message, &m, &k.problems), want[n]);
            assert_int_equal(k.problems.n, n > 0);
        }
        assert_string_equal(k.problems.first->code, "NUM_BAD");
        assert_string_equal(k.problems.first->place.file, "lines.csv");
        assert_int_equal(k.problems.first->place.line, i == 1 ? 2 : 3);
        assert_true(slice_is(k.problems.first->source, "8,c,3x"));
        kit_close(&k);
    }
}

/* Those of an inner group: below each of its instances, in the order of the rows above. */
static void inner_companions(void **state)
{
    (void)state;
    static const char parts[] = "Id,Name\na,p1\na,p2\nc,p3\n";
    struct kit k;
    struct source s;
    struct sink main_sink, parts_sink;
    struct companion_file in = { .name = SLICE("parts"), .source = &s },
                          out = { .name = SLICE("parts"), .sink = &parts_sink };
    kit_start(&k, "syntax csv\nmessage I key No {\n No integer\n group L 0..* key Id {\n Id text\n"
                  " group P 0..* file parts join Id {\n Name text\n }\n }\n}\n");
    source_open_text(&k.source, SLICE("No,Id\n7,a\n7,b\n8,c\n"), "test.csv", NULL);
    source_open_text(&s, slice_of(parts), "parts.csv", NULL);
    source_locate(&k.source, &k.problems);
    k.reader = (struct reader){ .source = &k.source, .format = k.format, .companions = &in, .ncompanions = 1 };
    k.rc = reader_open(&k.reader, &k.arena, &k.problems);
    sink_open_memory(&main_sink, "main");
    sink_open_memory(&parts_sink, "parts");
    struct writer w = { .sink = &main_sink, .format = k.format, .companions = &out, .ncompanions = 1 };
    assert_int_equal(writer_open(&w, &k.arena, &k.problems), OK);
    struct node *m = NULL;
    while ((k.rc = reader_read(&k.reader, &k.message, &m, &k.problems)) == OK) {
        assert_int_equal(writer_write(&w, m, &k.problems), OK);
        arena_reset(&k.message);
    }
    assert_int_equal(k.rc, END);
    writer_close(&w, &k.problems);
    assert_true(slice_is(buf_slice(&main_sink.buf), "No,Id\n7,a\n7,b\n8,c\n"));
    assert_true(slice_is(buf_slice(&parts_sink.buf), parts));
    sink_release(&main_sink);
    sink_release(&parts_sink);
    kit_close(&k);
}

/* A row that is too short ends the file, also where the message at hand asks for more rows. */
static void companion_rows_that_are_short(void **state)
{
    (void)state;
    struct kit k;
    struct source s;
    struct companion_file in = { .name = SLICE("parts"), .source = &s };
    struct node *m = NULL;
    kit_start(&k, "syntax csv\nmessage I key No {\n No integer\n group L 0..* key Id {\n Id text\n"
                  " group P 0..* file parts join Id {\n Name text\n }\n }\n}\n");
    source_open_text(&k.source, SLICE("No,Id\n7,a\n7,b\n8,c\n"), "test.csv", NULL);
    source_open_text(&s, SLICE("Id,Name\na,p1\nbp2\nc,p3\n"), "parts.csv", NULL);
    source_locate(&k.source, &k.problems);
    k.reader = (struct reader){ .source = &k.source, .format = k.format, .companions = &in, .ncompanions = 1 };
    assert_int_equal(reader_open(&k.reader, &k.arena, &k.problems), OK);
    assert_int_equal(reader_read(&k.reader, &k.message, &m, &k.problems), STOP);
    assert_int_equal(k.problems.n, 1);
    assert_string_equal(k.problems.first->code, "ROW_SHORT");
    assert_string_equal(k.problems.first->place.file, "parts.csv");
    assert_int_equal(k.problems.first->place.line, 3);
    kit_close(&k);
}

/* Groups that occur once lie in the same row. */
static void single_groups(void **state)
{
    (void)state;
    static const char f[] = "syntax csv\nmessage M {\n No text\n group To {\n Street text\n group City {\n Zip "
                            "text\n Name text\n }\n }\n}\n";
    reads(f, "No,Street,Zip,Name\n1,s,,\n2,,,n\n3,,,\n",
          "[0 19..25]\nNo=1 To{Street=s}\n[0 25..31]\nNo=2 To{City{Name=n}}\n[0 31..36]\nNo=3\n");
    round_trip(f, "No,Street,Zip,Name\n1,s,,\n2,,,n\n3,,,\n", "No,Street,Zip,Name\n1,s,,\n2,,,n\n3,,,\n");
}

static void tagged_files_are_written(void **state)
{
    (void)state;
    static const char f[] = "syntax csv delimiter \";\" header no tag 1\ngroup Head 1 at \"F\" {\n Id text\n}\n"
                            "message O at \"H\" {\n No text\n group L 0..* at \"L\" {\n Item text\n group N 0..* at "
                            "\"N\" {\n T text\n }\n }\n}\n"
                            "group Tail 0..1 at \"T\" {\n Count text\n}\n";
    round_trip(f, "F;x\nH;1\nL;a\nN;n1\nL;b\nH;2\nT;9\n", "H;1\nL;a\nN;n1\nL;b\nH;2\nT;9\n");
    reads(f, "F;x\nL;a\nH;1\nN;n\n", "[3 4..8]\n[CSV_TAG_ORDER 2:1]\n[3 8..16]\n[CSV_TAG_ORDER 4:1]\n");
}

static void inspects(void **state)
{
    (void)state;
    static const struct { const char *text, *want; } files[] = {
        { "a;b;c\n1;2;3\n1,5;2;3\n", "\"encoding\":\"UTF-8\",\"delimiter\":\";\",\"columns\":3,\"rows\":3" },
        { "a\tb\n\n\"x\ny\"\t2\n", "\"encoding\":\"UTF-8\",\"delimiter\":\"\\t\",\"columns\":2,\"rows\":2" },
        { "sep=|\na|b\n", "\"encoding\":\"UTF-8\",\"delimiter\":\"|\",\"columns\":2,\"rows\":1" },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct source s;
        struct arena a;
        struct problems ps;
        struct buf json = { 0 };
        arena_init(&a, 0);
        problems_init(&ps, &a, 10);
        source_open_text(&s, slice_of(files[i].text), "x.csv", NULL);
        assert_true(syntax_find(SLICE("csv"))->bid(slice_of(files[i].text)) > 0);
        assert_int_equal(syntax_find(SLICE("csv"))->inspect(&s, &json, &ps), OK);
        buf_byte(&json, 0);
        assert_string_equal(json.p, files[i].want);
        buf_release(&json);
        arena_release(&a);
    }
    assert_int_equal(syntax_find(SLICE("csv"))->bid(SLICE("<a/>")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_rows),
        cmocka_unit_test(line_ends),
        cmocka_unit_test(quotes),
        cmocka_unit_test(sep_bom_order),
        cmocka_unit_test(deep_levels), cmocka_unit_test(void_levels),
        cmocka_unit_test(mixed_columns),
        cmocka_unit_test(tags),
        cmocka_unit_test(charsets),
        cmocka_unit_test(utf16), cmocka_unit_test(utf16_that_is_cut),
        cmocka_unit_test(wrong_rows),
        cmocka_unit_test(nul_bytes),
        cmocka_unit_test(keys_split),
        cmocka_unit_test(disagreement),
        cmocka_unit_test(limits),
        cmocka_unit_test(windows),
        cmocka_unit_test(writes),
        cmocka_unit_test(marks_in_texts), cmocka_unit_test(never_quotes), cmocka_unit_test(sheet_safe),
        cmocka_unit_test(wrong_formats),
        cmocka_unit_test(inspects),
        cmocka_unit_test(many_keys), cmocka_unit_test(large_messages),
        cmocka_unit_test(companions),
        cmocka_unit_test(companion_rows_that_wait),
        cmocka_unit_test(inner_companions),
        cmocka_unit_test(companion_rows_that_are_short),
        cmocka_unit_test(single_groups),
        cmocka_unit_test(tagged_files_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
