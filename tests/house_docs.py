"""The README shows the very example that is compiled, and points only at what exists."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
problems = []
readme = (root / "README.md").read_text()

blocks = re.findall(r"^```cpp\n(.*?)^```$", readme, re.S | re.M)
if blocks != [(root / "examples/finetune_vit.cpp").read_text()]:
    problems.append("README.md: its one C++ block is not examples/finetune_vit.cpp; copy that file into it")

for page in [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").glob("*.md"))]:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)):
        if not (page.parent / target).exists():
            problems.append(f"{page.name}: links to {target}, which does not exist")
    # A quoted piece of code says where it stands: <!-- from core/ops_nn.cpp --> before the block.
    for source, block in re.findall(r"<!-- from (\S+) -->\n```cpp\n(.*?)^```$", text, re.S | re.M):
        code = (root / source).read_text()
        for piece in block.split("\n…\n"):
            if piece.strip("\n") not in code:
                problems.append(f"{page.name}: quotes {source}, which no longer says: {piece.strip().splitlines()[0]}")

picture = root / "docs/images/report.png"
if picture.stat().st_size >= 300_000:
    problems.append(f"{picture.name} has {picture.stat().st_size} bytes; 300,000 are too many for a page")

for problem in problems:
    print(problem)
sys.exit(bool(problems))
