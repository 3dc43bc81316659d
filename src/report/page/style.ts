/** The looks of the report: one sheet, light or dark as the reader's system says, from a phone's width on. */
export const STYLE = `
:root{color-scheme:light dark;--ground:#f6f5f2;--card:#fff;--ink:#1c1b19;--soft:#67635c;--line:#e3dfd8;--main:#2557d6;--second:#d06b1f;--third:#7a54c0;--good:#1d7f4f;--bad:#c0352b;--badtint:#c0352b22;--quiet:#8a857c1f}
@media(prefers-color-scheme:dark){:root{--ground:#141414;--card:#1e1e1d;--ink:#edebe7;--soft:#a09b92;--line:#34322f;--main:#7fa2ff;--second:#f0a05a;--third:#b79af0;--good:#5cc893;--bad:#ff7d70;--badtint:#ff7d7030;--quiet:#ffffff12}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1000px;margin:0 auto;padding:32px 20px 64px}
h1,h2,h3,p{margin:0}
h1{font-size:1.7rem;line-height:1.2;letter-spacing:-.015em;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:40px 0 14px;letter-spacing:-.01em}
h3{font-size:1rem}
.eyebrow{color:var(--soft);font-size:.85rem;margin-bottom:6px}
header .facts{color:var(--soft);font-size:.9rem;margin-top:8px}
.verdict{display:flex;gap:14px;align-items:flex-start;margin-top:22px;padding:18px 20px;border-radius:14px;background:var(--card);border:1px solid var(--line);border-left:6px solid var(--good)}
.verdict.faults{border-left-color:var(--bad)}
.verdict b{display:block;font-size:1.1rem}
.verdict p{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin-top:14px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 14px}
.tile dt{color:var(--soft);font-size:.82rem}
.tile dd{margin:2px 0 0;font-size:1.25rem;font-weight:600;font-variant-numeric:tabular-nums;letter-spacing:-.01em}
.tile small{display:block;color:var(--soft);font-size:.78rem;line-height:1.35}
.tile.bad dd{color:var(--bad)}
.finding{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:16px 18px;margin-bottom:12px}
.finding p{color:var(--soft);margin-top:4px;font-size:.95rem}
.finding .mark{display:inline-block;font-size:.78rem;font-weight:600;padding:1px 8px;border-radius:99px;background:var(--badtint);color:var(--bad);margin-bottom:6px}
.finding.note .mark{background:var(--quiet);color:var(--soft)}
.when{font-size:.85rem;font-variant-numeric:tabular-nums}
.shots{display:flex;flex-wrap:wrap;gap:10px;margin-top:12px}
.shots figure{margin:0;max-width:100%}
.shots img{display:block;border-radius:8px;max-width:100%;height:auto}
.shots figcaption{color:var(--soft);font-size:.78rem;margin-top:3px;display:flex;justify-content:space-between}
.plot,.card{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:16px 18px;margin:0 0 12px}
.plot figcaption p,.card p{color:var(--soft);font-size:.88rem}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:.82rem;color:var(--soft);margin:8px 0}
.key::before{content:"";display:inline-block;width:14px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle;background:var(--main)}
.key.second::before{background:var(--second)}.key.third::before{background:var(--third)}
.frame{display:flex;gap:8px}
.frame svg{flex:1;min-width:0}
.values{display:flex;flex-direction:column;justify-content:space-between;width:3.6em;flex:none;text-align:right}
.values,.ticks{color:var(--soft);font-size:.75rem;font-variant-numeric:tabular-nums}
.ticks{display:flex;justify-content:space-between;margin:4px 0 0 calc(3.6em + 8px)}
svg{display:block;width:100%;height:130px;background:linear-gradient(var(--line),var(--line)) bottom/100% 1px no-repeat}
.line{fill:none;stroke:var(--main);stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round;vector-effect:non-scaling-stroke}
.line.second{stroke:var(--second)}.line.third{stroke:var(--third)}
.limit{fill:none;stroke:var(--soft);stroke-width:1;stroke-dasharray:4 4;vector-effect:non-scaling-stroke;opacity:.7}
.best{fill:none;stroke:var(--second);stroke-width:2;vector-effect:non-scaling-stroke}
rect.quiet{fill:var(--quiet)}rect.fault{fill:var(--badtint)}
ul{padding-left:1.2em;margin:6px 0 0;color:var(--soft);font-size:.92rem}
@media(max-width:480px){main{padding:20px 14px 48px}h1{font-size:1.4rem}.tiles{grid-template-columns:1fr 1fr}.finding,.plot,.card{padding:14px}svg{height:110px}}
@media print{body{background:#fff}.finding,.plot,.card{break-inside:avoid}}
`;
