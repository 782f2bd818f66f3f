"""model.py [PROGRAM [CASES [SEED]]] - generated cases against an independent model of the requirements S2-1 … S2-124

The model is written from the requirements, not from the mapping. Many cases go through the program in one run, each with
ship-to numbers of its own. Besides the model, what the program wrote is held against what may never happen: a quantity
lost or doubled, a line removed or reduced, an order in two invoices, a check out of its order.
"""
import copy
import os
import random
import sys
import tempfile
from decimal import Decimal

import kit

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FIRST = 500000                      # own numbers begin here
PER_RUN = 250


# ---- the model ------------------------------------------------------------------------------------------------------

def fold(text):
    return text.strip().lower()


def real_po(text):
    """S2-37: blank and Verbal are no P.O. at all."""
    return "" if fold(text) == "verbal" else fold(text)


def checks(order, invoice, s):
    """The first check that an invoice fails, S2-28; None = it passes."""
    po = real_po(order["po"])
    if invoice["locked_by"]:
        return "LOCKED"
    if invoice["canceled"]:
        return "CANCELED"
    if invoice["credit_hold"] in ("accepted", "rejected"):
        return "CREDIT_" + invoice["credit_hold"].upper()
    if invoice["printed"] and not s["allow_printed"]:
        return "PRINTED"
    if not po and real_po(invoice["po"]):
        return "PO_ON_INVOICE"
    if po and s["po_mode"] == "new":
        return "PO_ALWAYS_NEW"
    if po and fold(invoice["po"]) != po:
        return "PO_DIFFERENT"
    if invoice["comment"] and order["comment"] and order["ls_only"] != invoice["ls_only"]:
        return "COMMENT_LS_ONLY"
    if fold(order["giver"]) != fold(invoice["giver"]):
        return "ORDER_GIVER"
    if s["assign_salesperson"] and order["salesperson"] != invoice["salesperson"]:
        return "SALESPERSON"
    if order["route"] and order["route"] != invoice["route"]:
        return "ROUTE"
    return None


def line_fits(new, old, s):
    """May the order's line go into this line of the invoice? S2-75 … S2-85"""
    same_price = Decimal(new["price"]) == Decimal(old["price"])
    if new["type"] == "C":
        if new["ret"] != old["ret"] or not same_price:
            return False
    elif not same_price and not ((new["user"] or old["user"]) and s["price_conflict"] != "keep_both"):
        return False
    unmodified = new["mod"] is False and old["mod"] is False
    if not unmodified and new["desc"] != old["desc"]:
        return False
    if new["src"] and new["src"] != old["src"]:
        return False
    return new["cut"] == old["cut"] and new["pcr"] == old["pcr"]


def find_line(new, lines, s):
    if (s["item_mode"] if new["type"] == "D" else s["credit_mode"]) != "merge":
        return None
    like = [i for i, l in enumerate(lines) if (l["item"], l["type"], l["uom"]) == (new["item"], new["type"], new["uom"])]
    like.sort(key=lambda i: Decimal(lines[i]["price"]) != Decimal(new["price"]))
    return next((i for i in like if line_fits(new, lines[i], s)), None)


def merge_line(new, old, before, s):
    old["qty"] = Decimal(old["qty"]) + Decimal(new["qty"])
    if Decimal(new["price"]) != Decimal(before["price"]) and s["price_conflict"] == "incoming":
        old["price"], old["user"] = new["price"], new["user"]
    if old["mod"] is None:
        old["mod"] = new["mod"]


class Model:
    def __init__(self, settings, customers, invoices):
        self.settings, self.customers = settings, customers
        self.invoices = []
        self.imported = set()
        self.next, self.created = FIRST, FIRST
        for i in invoices:
            own = copy.deepcopy(i)
            own.update(canceled=i["status"] == "canceled")
            for l in own["lines"]:
                l["mod"] = None                     # the file of entrée does not say
            self.invoices.append(own)

    def refusal(self, o, s):
        if not o["no"]:
            return "rejected", "NO_ORDER_NUMBER"
        if not o["shipto"]:
            return "rejected", "NO_SHIP_TO"
        if o["deliv"].count("-") != 2 or o["deliv"].endswith("-31-31"):
            return "rejected", "NO_DELIVERY_DATE"
        if (o["source"], o["no"]) in self.imported:
            return "duplicate", "ALREADY_IMPORTED"
        if s.get("item_mode") == "merge" and not s["price_conflict"]:
            return "rejected", "PRICE_CONFLICT_UNSET"
        if s and not s["allow_credits"] and all(l["type"] == "C" for l in o["lines"]):
            return "rejected", "CREDIT_NOT_ALLOWED"
        for l in o["lines"]:
            try:
                bad = Decimal(l["qty"]) <= 0
            except ArithmeticError:
                return "rejected", "NO_QUANTITY"
            if bad:
                return "rejected", "REDUCTION_NOT_ALLOWED"
        return None

    def target(self, o, s):
        """The invoice, why it is a new one, and what was passed over."""
        if o["source"] not in ("NET", "EOP"):
            return None, "SOURCE_NOT_SUPPORTED", []
        if not s.get("enable"):
            return None, "FEATURE_OFF", []
        if self.customers.get(o["shipto"], True) is False:
            return None, "CUSTOMER_DISABLED", []
        like = [i for i in self.invoices if i["shipto"] == o["shipto"] and i["deliv"] == o["deliv"]]
        if not like:
            return None, "NO_INVOICE", []
        skipped = []
        for i in sorted(like, key=lambda i: i["seq"]):
            failed = checks(o, i, s)
            if not failed:
                return i, "", skipped
            skipped.append({"invoice": i["no"], "check": failed})
        return None, "NONE_QUALIFIED", skipped

    def new_invoice(self, o):
        i = {k: o[k] for k in ("shipto", "deliv", "comment", "ls_only", "giver", "salesperson", "route")}
        i.update(no=self.next, seq=self.created, locked_by="", canceled=False, credit_hold="none", printed=False, rev=0,
                 po=o["po"].strip() if real_po(o["po"]) else "Verbal", lines=[])
        self.created += 1
        self.invoices.append(i)
        return i

    def add_lines(self, o, invoice, merged, s):
        before = copy.deepcopy(invoice["lines"])
        actions = []
        for l in o["lines"]:
            if l["type"] == "C" and s and not s["allow_credits"]:
                actions.append(("left out", None))
                continue
            at = find_line(l, before, s) if merged else None
            if at is None:
                invoice["lines"].append({**copy.deepcopy(l), "qty": Decimal(l["qty"]), "rev": invoice["rev"]})
                actions.append(("added", None))
            else:
                merge_line(l, invoice["lines"][at], before[at], s)
                invoice["lines"][at]["rev"] = invoice["rev"]
                actions.append(("merged", at))
        if merged:
            invoice["lines"].sort(key=lambda l: l["item"].encode())
        return actions

    def order(self, o):
        row = self.settings.get(o["source"], self.settings.get("*"))
        s = {**kit.SETTINGS, **row} if row is not None else {}
        refused = self.refusal(o, s)
        if refused:
            return {"action": refused[0], "reason": refused[1], "invoice": "", "revision": "", "skipped": [], "lines": []}
        invoice, reason, skipped = self.target(o, s)
        merged = invoice is not None
        if merged:
            invoice["rev"] += 1
            if o["comment"] and not invoice["comment"]:
                invoice["comment"], invoice["ls_only"] = o["comment"], o["ls_only"]
            elif o["comment"]:
                invoice["comment"] += "\n" + o["comment"]
        else:
            invoice = self.new_invoice(o)
        actions = self.add_lines(o, invoice, merged, s)
        self.next += 1
        self.imported.add((o["source"], o["no"]))
        return {"action": "consolidated" if merged else "new", "reason": reason, "invoice": invoice["no"],
                "revision": kit.letters(invoice["rev"]), "skipped": skipped, "lines": actions}


# ---- cases ----------------------------------------------------------------------------------------------------------

def often(r, value, *others):
    return value if r.random() < 0.93 else r.choice(others)


def a_line(r):
    credit = r.random() < 0.2
    return {"item": r.choice(["10200", "10300", "9", "30"]), "type": "C" if credit else "D",
            "ret": r.choice(["", "DMG", "EXP"]) if credit else "", "qty": r.choice(["1", "2", "3", "0.5", "10"]),
            "price": r.choice(["10.00", "10.00", "9.50", "3.3333"]), "user": r.random() < 0.25,
            "desc": [often(r, "", "HALF FROZEN"), "", "", often(r, "", "x")], "mod": r.random() < 0.2,
            "src": often(r, "", "L1", "L2"), "cut": often(r, "", "1 INCH"), "pcr": often(r, "", "9.10 MGR"),
            "uom": often(r, "CS", "EA"), "rev": 0}


def an_invoice(r, no, seq, shipto):
    return {"no": no, "seq": seq, "shipto": shipto, "deliv": often(r, "2024-03-15", "2024-03-16"),
            "status": often(r, "open", "canceled"), "locked_by": often(r, "", "UPC"),
            "credit_hold": often(r, "none", "pending", "accepted", "rejected"), "printed": r.random() < 0.2,
            "po": often(r, "Verbal", "", " verbal ", "4711", "PO-9"),
            "comment": r.choice(["", "Back door"]), "ls_only": r.random() < 0.15, "giver": often(r, "Ana", "Bob", ""),
            "salesperson": often(r, "07", "09"), "route": r.choice(["", "R1", "R1"]), "rev": often(r, 0, 1, 26),
            "lines": sorted((a_line(r) for _ in range(r.randint(1, 3))), key=lambda l: l["item"].encode())}


def an_order(r, no, shipto):
    o = {"no": no, "source": r.choice(["NET", "NET", "EOP", "EDI"]) if r.random() < 0.3 else "NET", "shipto": shipto,
         "deliv": often(r, "2024-03-15", "2024-03-16"), "po": often(r, "", "Verbal", " 4711 ", "po-9", "0815"),
         "comment": r.choice(["", "", "Ring bell"]), "ls_only": r.random() < 0.15, "giver": often(r, "Ana", " ana ", "Bob", ""),
         "salesperson": often(r, "07", "09"), "route": often(r, "", "R1", "R2"),
         "lines": [a_line(r) for _ in range(r.randint(1, 4))]}
    if r.random() < 0.04:
        r.choice(o["lines"])["qty"] = r.choice(["0", "-2", "-0.5"])
    if r.random() < 0.02:
        o["deliv"] = "2024-31-31"
    if r.random() < 0.02:
        o["shipto"] = ""
    return o


def some_settings(r):
    def own():
        return {"enable": r.random() < 0.95, "allow_printed": r.random() < 0.4, "po_mode": often(r, "match", "new"),
                "item_mode": often(r, "merge", "new"), "credit_mode": often(r, "merge", "new"),
                "price_conflict": r.choice(["keep_both", "current", "incoming", "incoming"]),
                "assign_salesperson": r.random() < 0.3, "allow_credits": r.random() < 0.85}
    names = [n for n, p in (("*", 0.95), ("NET", 0.5), ("EOP", 0.5)) if r.random() < p]
    return {n: own() for n in names}


def some_cases(r, n):
    """One run: settings, customers, and n cases that share nothing but them."""
    customers, invoices, orders = {}, [], []
    for case in range(n):
        shipto = f"C{case}"
        if r.random() < 0.1:
            customers[shipto] = r.random() < 0.5
        seqs = r.sample(range(100), 4)
        invoices += [an_invoice(r, 1000 + 10 * case + k, 100 * case + seqs[k], shipto) for k in range(r.randint(0, 3))]
        own = [an_order(r, f"N-{case}-{k}", shipto) for k in range(r.randint(1, 4))]
        if len(own) > 2 and r.random() < 0.2:
            own.append(copy.deepcopy(own[0]))       # comes again
        orders += own
    return some_settings(r), customers, invoices, orders


# ---- comparing ------------------------------------------------------------------------------------------------------

def plain(d):
    return str(Decimal(d).normalize().quantize(Decimal(1)) if Decimal(d) == Decimal(d).to_integral()
               else Decimal(d).normalize())


def line_of_model(l):
    return (l["item"], l["type"], l["ret"], plain(l["qty"]), l["uom"], l["price"], kit.yn(l["user"]), *l["desc"], l["src"],
            l["cut"], l["pcr"], kit.letters(l["rev"]))


def line_of_file(l):
    return tuple(l[c] for c in kit.LINE) + (l["Rev"],)


def head_of_model(i):
    return {"PONumber": i["po"], "Comment": i["comment"], "PrintOnLSOnly": kit.yn(i["ls_only"]), "OrderGiver": i["giver"],
            "Salesperson": i["salesperson"], "Route": i["route"], "Revision": kit.letters(i["rev"]),
            "Printed": kit.yn(i["printed"]), "Canceled": kit.yn(i["canceled"]), "LockedBy": i["locked_by"],
            "CreditHold": i["credit_hold"], "ShipTo": i["shipto"], "DeliveryDate": kit.day(i["deliv"])}


def same_decision(want, got):
    kinds = [k for k, _ in got["lines"]]
    if got["action"] == "new":
        kinds = ["left out" if k == "left out" else "added" for k in kinds]
    return all(want[k] == got[k] for k in ("action", "reason", "invoice", "revision", "skipped")) and \
        [k for k, _ in want["lines"]] == kinds and \
        all(w == g for (k, w), (_, g) in zip(want["lines"], got["lines"]) if k == "merged")


def compare(model, orders, wants, decided, invoices):
    wrong = []
    for o, want, got in zip(orders, wants, decided):
        if not same_decision(want, got):
            wrong.append(f"order {o['source']} {o['no']}: {o}\n  wanted {want}\n  got    {got}")
    if set(invoices) != {i["no"] for i in model.invoices}:
        wrong.append("other invoices than in the model")
    for i in model.invoices:
        got = invoices.get(i["no"], {"lines": []})
        if [line_of_file(l) for l in got["lines"]] != [line_of_model(l) for l in i["lines"]]:
            wrong.append(f"invoice {i['no']}: wanted {[line_of_model(l) for l in i['lines']]}\n"
                         f"  got {[line_of_file(l) for l in got['lines']]}")
        differs = {k: (v, got.get(k)) for k, v in head_of_model(i).items() if got.get(k) != v}
        if differs:
            wrong.append(f"invoice {i['no']}: {differs}")
    return wrong


# ---- what may never happen, from the files alone --------------------------------------------------------------------

def identity(row):
    return tuple(row[c] for c in ("Item", "Type", "ReturnCode", "Unit", "Cut", "PriceRequest"))


def totals(rows):
    sums = {}
    for row in rows:
        sums[identity(row)] = sums.get(identity(row), 0) + Decimal(row["Quantity"])
    return sums


def invariants(dir, orders, decided, invoices, history):
    wrong = []
    before, came = {}, {}
    for row in kit.read_csv(f"{dir}/invoice_lines.csv"):
        before.setdefault(int(row["InvoiceNo"]), []).append(row)
    for o, d in zip(orders, decided):
        if d["invoice"] == "":
            continue
        for l, (kind, _) in zip(o["lines"], d["lines"]):
            if kind != "left out":
                row = dict(zip(kit.LINE, kit.line_cells(l)))
                came.setdefault(d["invoice"], []).append(row)
    for no, invoice in invoices.items():
        if totals(before.get(no, []) + came.get(no, [])) != totals(invoice["lines"]):
            wrong.append(f"invoice {no}: a quantity was lost or doubled")
        left = [(identity(r), Decimal(r["Quantity"])) for r in invoice["lines"]]
        for row in before.get(no, []):
            fits = [x for x in left if x[0] == identity(row) and x[1] >= Decimal(row["Quantity"])]
            if not fits:
                wrong.append(f"invoice {no}: a line was removed or reduced: {row}")
            else:
                left.remove(min(fits, key=lambda x: x[1]))
    for key, targets in history.items():
        if len(targets) != 1:
            wrong.append(f"order {key} went into {targets}")
    accepted = {(o["source"], o["no"]) for o, d in zip(orders, decided) if d["invoice"] != ""}
    if accepted != set(history):
        wrong.append(f"orders and revision history differ: {accepted ^ set(history)}")
    return wrong


def run(program, r, n, dir):
    settings, customers, invoices, orders = some_cases(r, n)
    kit.write_files(dir, settings, customers, invoices, orders, first=FIRST)
    program.import_orders(dir)
    after, history, why = kit.read_invoices(dir), kit.read_history(dir), kit.read_why(dir)
    model = Model(settings, customers, invoices)
    wants = [model.order(o) for o in orders]
    decided = []
    for o, w in zip(orders, why):
        decided.append(kit.decision(w, history, o))
    wrong = compare(model, orders, wants, decided, after) + invariants(dir, orders, decided, after, history)
    counts = {}
    for w in wants:
        counts[w["action"]] = counts.get(w["action"], 0) + 1
    return wrong, counts


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else f"{TOP}/build/release/waybill"
    cases = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    program = kit.Program(path, f"{TOP}/mappings/necs")
    print(f"seed {seed}", flush=True)
    done, all_counts = 0, {}
    while done < cases:
        n = min(PER_RUN, cases - done)
        dir = tempfile.mkdtemp(prefix="consolidation-")
        wrong, counts = run(program, random.Random(f"{seed} {done}"), n, dir)
        if wrong:
            print("\n".join(wrong[:5]))
            print(f"not ok: {len(wrong)} differences after {done} cases with seed {seed}; the files are in {dir}")
            return 1
        for name in os.listdir(dir):
            os.unlink(f"{dir}/{name}")
        os.rmdir(dir)
        done += n
        all_counts = {k: all_counts.get(k, 0) + counts.get(k, 0) for k in {**all_counts, **counts}}
    print(f"ok {done} cases; orders: " + ", ".join(f"{v} {k}" for k, v in sorted(all_counts.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
