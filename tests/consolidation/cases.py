"""cases.py [-v] [-c] FILE.json [PROGRAM]: see cases.sh."""
import json
import os
import sys
import tempfile

import kit

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def price_action(case, order, n, decided, invoices):
    """How a merged line came to its price: the case's words for it."""
    kind, at = decided["lines"][n]
    if kind == "left out":
        return "rejected_credit_not_allowed"
    if kind == "added":
        return "added"
    before = next((i for i in case["invoices"] if i["no"] == decided["invoice"]), None)
    if not before or before["lines"][at]["price"] == order["lines"][n]["price"]:
        return "merged"
    after = [l["Price"] for l in invoices[decided["invoice"]]["lines"] if l["Item"] == order["lines"][n]["item"]]
    return "merged_incoming_price" if order["lines"][n]["price"] in after else "merged_current_price"


def compare(case, order, want, decided, invoices, last):
    """Texts of what differs."""
    wrong = []
    for name in ("action", "reason", "revision", "skipped"):
        if decided[name] != want[name]:
            wrong.append(f"{name}: wanted {want[name]!r}, got {decided[name]!r}")
    known = {i["no"] for i in case["invoices"]}
    if want["invoice"] == "NEW":
        if decided["invoice"] in known or decided["invoice"] == "":
            wrong.append(f"wanted a new invoice, got {decided['invoice']}")
    elif decided["invoice"] != want["invoice"]:
        wrong.append(f"wanted invoice {want['invoice']}, got {decided['invoice']}")
    if "line_actions" in want and want["action"] in ("new", "consolidated"):
        got = [{"item": l["item"], "action": price_action(case, order, n, decided, invoices)}
               for n, l in enumerate(order["lines"])]
        if got != want["line_actions"]:
            wrong.append(f"lines: wanted {want['line_actions']}, got {got}")
    if last and want["action"] in ("new", "consolidated"):
        got = [kit.shown_line(r) for r in invoices[decided["invoice"]]["lines"]]
        if got != want["invoice_lines_after"]:
            wrong.append(f"invoice: wanted {want['invoice_lines_after']}, got {got}")
    for name, value in want.get("header_after", {}).items():
        if invoices[decided["invoice"]][name] != value:
            wrong.append(f"{name}: wanted {value!r}, got {invoices[decided['invoice']][name]!r}")
    return wrong


def unchanged(case, invoices, touched):
    """Invoices that no order went into are as they were."""
    wrong = []
    for i in case["invoices"]:
        got = [(l["Item"], l["Quantity"], l["Price"], l["Rev"]) for l in invoices[i["no"]]["lines"]]
        want = [(l["item"], l["qty"], l["price"], kit.letters(l["rev"])) for l in i["lines"]]
        if i["no"] not in touched and (got != want or invoices[i["no"]]["Revision"] != kit.letters(i["rev"])):
            wrong.append(f"invoice {i['no']} changed, and no order went into it")
    return wrong


def run_case(program, case, dir, alone):
    imported = [[s, n, i["no"], kit.number(r)] for i in case["invoices"] for r, s, n in i.get("hist", [])]
    kit.write_files(dir, case["settings"], case["customers"], case["invoices"], case["orders"], imported=imported)
    if alone:
        program.import_orders(dir)
    else:
        program.run_site(dir, case["settings"], imported if any(i[:2] == [o["source"], o["no"]] for i in imported
                                                                for o in case["orders"]) else [])
    invoices, history, why = kit.read_invoices(dir), kit.read_history(dir), kit.read_why(dir)
    decided = [kit.decision(w, history, o) for w, o in zip(why, case["orders"])]
    results = []
    for n, (order, want, got) in enumerate(zip(case["orders"], case["expected"], decided)):
        last = got["invoice"] not in [d["invoice"] for d in decided[n + 1:]]
        results.append(compare(case, order, want, got, invoices, last))
    results[-1] += unchanged(case, invoices, {d["invoice"] for d in decided})
    if len(why) != len(case["orders"]):
        results[-1].append(f"{len(case['orders'])} orders, {len(why)} decisions")
    return results


def main():
    args = [a for a in sys.argv[1:] if a not in ("-v", "-c")]
    verbose = "-v" in sys.argv
    program = kit.Program(args[1] if len(args) > 1 else f"{TOP}/build/release/waybill", f"{TOP}/mappings/necs")
    with open(args[0]) as f:
        cases = json.load(f)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as top:
        for case in cases:
            dir = tempfile.mkdtemp(dir=None if verbose else top, prefix=case["id"])
            for order, wrong in zip(case["orders"], run_case(program, case, dir, "-c" in sys.argv)):
                passed, failed = passed + (not wrong), failed + bool(wrong)
                print(f"{'not ok' if wrong else 'ok'} {case['id']} {order['no']}: {case['title']}")
                for text in wrong:
                    print("    " + text)
            if verbose:
                print("    " + dir)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
