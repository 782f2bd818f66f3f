#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "unit/basekit.h"

static struct conf *conf;

static int parse(const char *text)
{
    problems_init(&problems, &arena, 0);
    return conf_parse(&arena, "t.map", slice_of(text), &conf, &problems);
}

/* The kinds of the first statement's tokens and their texts, blanks shown as "_": "N:a_O:<=>" */
static const char *tokens(const char *text)
{
    static const char kinds[] = "NDRSO";
    assert_int_equal(parse(text), OK);
    struct buf b = { 0 };
    for (size_t i = 0; conf->first && i < conf->first->n; i++) {
        const struct token *t = &conf->first->tokens[i];
        buf_printf(&b, "%s%c:%.*s", i == 0 ? "" : t->spaced ? "_" : " ", kinds[t->kind], SLICE_ARG(t->text));
    }
    const char *kept = arena_cstr(&arena, buf_slice(&b));
    buf_release(&b);
    return kept;
}

static void words(void **state)
{
    (void)state;
    assert_string_equal(tokens("order-no cbc:ID C7_NUM 24so blåbær"), "N:order-no_N:cbc:ID_N:C7_NUM_N:24so_N:blåbær");
    assert_string_equal(tokens("24so-products 3-2 a.b 1.2.3 a-1"), "N:24so-products_N:3-2_N:a.b_N:1.2.3_N:a-1");
    assert_string_equal(tokens("12 0.5 007 5s 15m"), "D:12_D:0.5_D:007_N:5s_N:15m");
    assert_string_equal(tokens("0..1 1..* 4..12 ../x a.. 3.."),
                        "R:0..1_R:1..*_R:4..12_O:.. O:/ N:x_N:a O:.._D:3 O:..");
    assert_string_equal(tokens("a - b a- b -a a-$b"), "N:a_O:-_N:b_N:a O:-_N:b_O:- N:a_N:a O:- O:$ N:b");
    assert_string_equal(tokens("./3035 /. .[x]"), "O:. O:/ D:3035_O:/ O:._O:. O:[ N:x O:]");
}

static void operators(void **state)
{
    (void)state;
    static const enum token_op ops[] = {
        OP_BOTH, OP_RIGHT, OP_LEFT, OP_EQ, OP_NE, OP_LT, OP_GT, OP_GE, OP_BAR, OP_SLASH, OP_DOT, OP_DOTDOT, OP_AT, OP_DOLLAR,
        OP_STAR, OP_PLUS, OP_MINUS, OP_COMMA, OP_LPAREN, OP_RPAREN, OP_LBRACK, OP_RBRACK,
    };
    assert_int_equal(parse("<=>=><==!=< >>=|/. ..@$*+-,()[]"), OK);
    assert_int_equal(conf->first->n, sizeof ops / sizeof *ops);
    for (size_t i = 0; i < conf->first->n; i++)
        assert_true(token_op(&conf->first->tokens[i], ops[i]));
}

static void strings(void **state)
{
    (void)state;
    assert_int_equal(parse("a \"x\\\"y\\\\ \\n\\t\\r \\u{20AC}\\u{1F600} \\{a\\} {b}\" \"\" \"å\"\n"), OK);
    const struct token *t = conf->first->tokens;
    assert_true(slice_is(t[1].text, "x\"y\\ \n\t\r €😀 \\{a\\} {b}"));
    assert_int_equal(t[2].text.n, 0);
    assert_int_equal(t[3].width, 3);
    assert_int_equal(t[3].length, 4);
    assert_int_equal(t[3].kind, TOKEN_STRING);
}

static void places_and_blocks(void **state)
{
    (void)state;
    assert_int_equal(parse("\xEF\xBB\xBF# comment\r\n\r\nå b {   # open\r\n    c\r\n    d {\r\n    }\r\n}\r\ne"), OK);
    struct statement *s = conf->first;
    assert_int_equal(s->tokens[1].line, 3);
    assert_int_equal(s->tokens[1].column, 3);
    assert_true(s->has_block);
    assert_int_equal(s->last_line, 7);
    assert_int_equal(s->end.column, 4);
    struct statement *c = s->block, *d = c->next;
    assert_true(token_is(&c->tokens[0], "c"));
    assert_int_equal(c->tokens[0].line, 4);
    assert_int_equal(c->tokens[0].column, 5);
    assert_ptr_equal(c->parent, s);
    assert_true(d->has_block);
    assert_null(d->block);
    assert_null(d->next);
    assert_true(token_is(&s->next->tokens[0], "e"));
    assert_null(s->next->parent);
    assert_int_equal(s->next->last_line, 8);
}

static void lines_go_on(void **state)
{
    (void)state;
    assert_string_equal(tokens("a (b,\n  # comment\n c[\n1 ]) d\ne"), "N:a_O:( N:b O:,_N:c O:[_D:1_O:] O:)_N:d");
    assert_int_equal(conf->first->tokens[4].line, 3);
    assert_int_equal(conf->first->tokens[4].column, 2);
    assert_string_equal(tokens("a \\\n  b \\\r\n c\nd"), "N:a_N:b_N:c");
    assert_int_equal(conf->first->tokens[2].line, 3);
    assert_string_equal(tokens("a#b"), "N:a");
    assert_string_equal(tokens(""), "");
    assert_null(conf->first);
}

/* Every fault as LINE:COLUMN CODE, one blank after each. */
static void faults(const char *text, const char *expected)
{
    struct buf b = { 0 };
    int rc = parse(text);
    assert_int_equal(rc, *expected ? STOP : OK);
    for (const struct problem *p = problems.first; p; p = p->next)
        buf_printf(&b, "%u:%u %s ", p->place.line, p->place.column, p->code);
    buf_byte(&b, '\0');
    assert_string_equal(b.p, expected);
    buf_release(&b);
}

static void all_faults_at_once(void **state)
{
    (void)state;
    faults("a \"x\nb ;\nc \"\\q\" \"\\u{110000}\"\nd )\ne (]\nf !\ng '\nh",
           "1:3 CONF_STRING 2:3 CONF_CHARACTER 3:4 CONF_ESCAPE 4:3 CONF_BRACKET 5:4 CONF_BRACKET 6:3 CONF_CHARACTER "
           "7:3 CONF_CHARACTER ");
    assert_true(token_is(&conf->first->tokens[0], "h"));
    assert_null(conf->first->next);
    faults("c \"\\q \\u{x} \\u{D800} \\u{} \\é\"", "1:4 CONF_ESCAPE 1:7 CONF_ESCAPE 1:13 CONF_ESCAPE 1:22 CONF_ESCAPE 1:27 CONF_ESCAPE ");
    faults("a (b\nc {\n d\n}\ne", "1:3 CONF_BRACKET ");
    assert_true(token_is(&conf->first->tokens[0], "c"));
    assert_true(token_is(&conf->first->next->tokens[0], "e"));
    faults("a (b {\n c\n}\nd", "1:3 CONF_BRACKET ");
    assert_true(token_is(&conf->first->tokens[0], "d"));
}

static void faults_of_braces(void **state)
{
    (void)state;
    faults("a {\n b\n", "1:3 CONF_BLOCK ");
    faults("a\n}\nb", "2:1 CONF_BLOCK ");
    faults("{\n a\n}\nb", "1:1 CONF_BLOCK ");
    faults("done { a => b }\nc", "1:8 CONF_LINE ");
    assert_true(token_is(&conf->first->next->tokens[0], "c"));
    faults("a {\n b }\nc", "2:4 CONF_LINE ");
    faults("a {\n} b\nc", "2:3 CONF_LINE ");
    faults("a ; {\n b\n ;\n}\nc", "1:3 CONF_CHARACTER 3:2 CONF_CHARACTER ");
    assert_true(token_is(&conf->first->tokens[0], "c"));
    faults("a {\n} ; {\n b\n}\nc\n}", "2:3 CONF_CHARACTER 6:1 CONF_BLOCK ");
}

static void hostile_bytes(void **state)
{
    (void)state;
    faults("a \x01 b\nc", "1:3 CONF_HIDDEN ");
    faults("a \"\xFF\"\nb \xC3(\nc", "1:4 CONF_ENCODING 2:3 CONF_ENCODING 2:4 CONF_BRACKET ");
    faults("# \xE2\x80\xAE trojan", "1:3 CONF_HIDDEN ");
    faults("a \"\xE2\x81\xA6\"", "1:4 CONF_HIDDEN ");
    faults("a\rb", "1:2 CONF_HIDDEN ");
    problems_init(&problems, &arena, 0);
    assert_int_equal(conf_parse(&arena, "t", SLICE("a\0b"), &conf, &problems), STOP);
    assert_int_equal(conf_parse(&arena, "t", slice_none(), &conf, &problems), OK);
}

static void depth_is_limited(void **state)
{
    (void)state;
    struct buf b = { 0 };
    for (int i = 0; i < 64; i++)
        buf_text(&b, "a {\n");
    for (int i = 0; i < 64; i++)
        buf_text(&b, "}\n");
    assert_int_equal(conf_parse(&arena, "t", buf_slice(&b), &conf, &problems), OK);
    b.n = 0;
    for (int i = 0; i < 100000; i++)
        buf_text(&b, "a {\n");
    assert_int_equal(conf_parse(&arena, "t", buf_slice(&b), &conf, &problems), STOP);
    assert_true(problems.n < 5);
    b.n = 0;
    for (int i = 0; i < 100000; i++)
        buf_text(&b, "((\n");
    problems_init(&problems, &arena, 0);
    assert_int_equal(conf_parse(&arena, "t", buf_slice(&b), &conf, &problems), STOP);
    assert_true(problems.n <= 202);
    b.n = 0;
    for (int i = 0; i < 5000; i++)
        buf_text(&b, "a ");
    problems_init(&problems, &arena, 0);
    assert_int_equal(conf_parse(&arena, "t", buf_slice(&b), &conf, &problems), STOP);
    assert_string_equal(problems.first->code, "CONF_LONG");
    buf_release(&b);
}

static void problem_at_a_token(void **state)
{
    (void)state;
    assert_int_equal(parse("x\n    take inbx \"in/orders\"\n"), OK);
    const struct statement *s = conf->first->next;
    assert_int_equal(conf_problem(conf, &s->tokens[1], PROBLEM_ERROR, "CONF_WORD", &problems, "did you mean `inbox`?", "unknown word \"%s\"",
                                  "inbx"), STOP);
    conf_problem(conf, &s->end, PROBLEM_ERROR, "CONF_WORD", &problems, NULL, "something is missing");
    struct buf b = { 0 };
    problem_show(&b, problems.first);
    problem_show(&b, problems.last);
    buf_byte(&b, '\0');
    assert_string_equal(b.p, "t.map:2:10: error: unknown word \"inbx\" [CONF_WORD]\n"
                             "        take inbx \"in/orders\"\n"
                             "             ^^^^ did you mean `inbox`?\n"
                             "t.map:2:26: error: something is missing [CONF_WORD]\n"
                             "        take inbx \"in/orders\"\n"
                             "                             ^\n");
    buf_release(&b);
}

static int64_t duration(const char *text)
{
    assert_int_equal(parse(text), OK);
    return conf_duration(&conf->first->tokens[0]);
}

static void durations(void **state)
{
    (void)state;
    assert_int_equal(duration("500ms"), 500);
    assert_int_equal(duration("5s"), 5000);
    assert_int_equal(duration("15m"), 900000);
    assert_int_equal(duration("2h"), 7200000);
    assert_int_equal(duration("30d"), 2592000000);
    assert_int_equal(duration("2y"), 63072000000);
    assert_int_equal(duration("5"), -1);
    assert_int_equal(duration("s"), -1);
    assert_int_equal(duration("5w"), -1);
    assert_int_equal(duration("\"5s\""), -1);
    assert_int_equal(duration("99999999999999999999y"), -1);
    assert_int_equal(duration("9223372036854775807y"), -1);
}

static void lays_out(const char *text, const char *expected)
{
    struct buf first = { 0 }, second = { 0 };
    assert_int_equal(parse(text), OK);
    assert_int_equal(conf_format(conf, &first), OK);
    buf_byte(&first, '\0');
    assert_string_equal(first.p, expected);
    assert_int_equal(parse(first.p), OK);
    assert_int_equal(conf_format(conf, &second), OK);
    buf_byte(&second, '\0');
    assert_string_equal(second.p, expected);
    buf_release(&first);
    buf_release(&second);
}

static void layout(void **state)
{
    (void)state;
    lays_out("", "");
    lays_out("\n\n a\r\n\n\n\n  b   {\n\n# note  \nc <=> d\n  long/name=>e   # why\n require a <= b else X\n\n}",
             "a\n\nb {\n    # note\n    c         <=> d\n    long/name => e  # why\n    require a <= b else X\n}\n");
}

static void layout_of_tables_and_long_lines(void **state)
{
    (void)state;
    lays_out("table t {\n Source Enable\n all no\n \"x\" yes # last\n}\n",
             "table t {\n    Source Enable\n    all    no\n    \"x\"    yes  # last\n}\n");
    lays_out("a if(x,\n  y # no\n  ) => b\nc \\\n d\n",
             "a if(x,\n    y  # no\n) => b\nc \\\n    d\n");
    lays_out("a {\nkey x(1 <= 2) <=> y\nb => c {\n}\n. => d\n}\n",
             "a {\n    key x(1 <= 2) <=> y\n    b => c {\n    }\n    .             => d\n}\n");
}

static void faulty_is_not_laid_out(void **state)
{
    (void)state;
    struct buf b = { 0 };
    assert_int_equal(parse("a {"), STOP);
    assert_int_equal(conf_format(conf, &b), STOP);
    assert_int_equal(b.n, 0);
}

static void files(void **state)
{
    (void)state;
    assert_int_equal(conf_load(&arena, "/nonexistent/x.map", &conf, &problems), TEMP);
    assert_string_equal(problems.first->code, "SYS_MISSING");
    assert_null(conf);
    assert_int_equal(conf_load(&arena, "/", &conf, &problems), STOP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, base_begin, base_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words), TEST(operators), TEST(strings), TEST(places_and_blocks), TEST(lines_go_on), TEST(all_faults_at_once),
        TEST(faults_of_braces), TEST(hostile_bytes), TEST(depth_is_limited), TEST(problem_at_a_token), TEST(durations),
        TEST(layout), TEST(layout_of_tables_and_long_lines), TEST(faulty_is_not_laid_out), TEST(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
