/** The looks of the report: those of the service's page, light or dark as the reader's system says, from a phone's width on. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#f4f1f2;--card:#fffdfd;--ink:#211a1e;--soft:#685d63;--line:#ddd6d9;--accent:#bd2450;--second:#4c6a8a;--good:#2c7a58;--bad:#8a5300;--badwash:#8a530024;--quiet:#685d631c}
@media(prefers-color-scheme:dark){:root{--paper:#151013;--card:#1f181c;--ink:#f3edf0;--soft:#b0a4ab;--line:#352b31;--accent:#ff7a98;--second:#8fb4dc;--good:#6fcfa1;--bad:#f1bb62;--badwash:#f1bb6230;--quiet:#ffffff12}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 "Hanken Grotesk",system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1040px;margin:0 auto;padding:44px 28px 72px}
h1,h2,h3,p,dl,dd{margin:0}
h1{font-size:2.1rem;line-height:1.15;letter-spacing:-.025em;overflow-wrap:anywhere}
h2{font-size:1.3rem;letter-spacing:-.015em;margin:52px 0 16px}
h3{font-size:1rem}
.lead{margin:-10px 0 16px;color:var(--soft);font-size:.92rem}
.eyebrow,.facts,.plot figcaption p,.when,small{color:var(--soft)}
.eyebrow{font-size:.85rem;margin-bottom:8px}
.facts{font-size:.92rem;margin-top:10px}
.verdict{display:flex;gap:18px;align-items:center;margin:34px 0 30px;color:var(--good)}
.verdict.faults{color:var(--bad)}
.verdict svg{flex:none;width:56px;height:56px;padding:13px;border-radius:50%;background:color-mix(in srgb,currentColor 14%,transparent);fill:none;stroke:currentColor;stroke-width:2.4;stroke-linecap:round;stroke-linejoin:round}
.verdict h2{margin:0;font-size:1.75rem;line-height:1.15;letter-spacing:-.025em}
.verdict p{color:var(--soft)}
.measures{display:grid;grid-template-columns:1fr 1fr;column-gap:56px;border-bottom:1px solid var(--line)}
.measures>div{display:grid;grid-template-columns:minmax(0,1fr) auto;align-items:center;gap:0 20px;padding:11px 0;border-top:1px solid var(--line)}
.measures dt{font-weight:560}
.measures dd{display:grid;grid-template-columns:120px 92px;gap:0 16px;align-items:center}
.measures b{grid-area:1/2;text-align:right;font-size:1.06rem;font-weight:640;white-space:nowrap}
.measures small{grid-area:2/1/auto/3;text-align:right;font-size:.8rem;line-height:1.3}
.measures .scale{grid-area:1/1;height:14px}
.measures .bad b{color:var(--bad)}
.scale path{fill:none;vector-effect:non-scaling-stroke;stroke-width:4;stroke:var(--line)}
.scale .good{stroke:color-mix(in srgb,var(--good) 55%,transparent)}
.scale .needle{stroke:var(--ink);stroke-width:3}
.bad .scale .needle{stroke:var(--bad)}
.finding{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:4px 24px;padding:20px 0;border-top:1px solid var(--line)}
.finding h3{font-size:1.1rem;letter-spacing:-.01em}
.finding p{color:var(--soft);font-size:.95rem;max-width:64ch}
.finding .mark{grid-area:1/2;align-self:start;font-size:.8rem;font-weight:620;padding:2px 11px;border-radius:99px;background:var(--badwash);color:var(--bad)}
.finding.note .mark{background:var(--quiet);color:var(--soft)}
.finding>*{grid-column:1/-1}
.finding h3{grid-column:1}
.when{font-size:.88rem}
.shots{display:flex;flex-wrap:wrap;gap:12px;margin-top:12px}
.shots figure{margin:0;max-width:100%}
.shots img{display:block;border-radius:10px;max-width:100%;height:auto}
.shots figcaption{color:var(--soft);font-size:.8rem;margin-top:4px;display:flex;justify-content:space-between}
.plots,.pair{display:grid;grid-template-columns:1fr 1fr;gap:14px}
.pair{margin-top:14px}
.pair:empty{display:none}
.plot{grid-column:1/-1;margin:0;padding:20px 22px 16px;border-radius:18px;background:var(--card);box-shadow:inset 0 0 0 1px var(--line)}
.plot.small{grid-column:auto;display:grid;grid-template-rows:1fr auto}
.plot.small:last-child:nth-child(odd of .small){grid-column:1/-1}
.plot figcaption p{font-size:.86rem;line-height:1.4;margin-top:2px;padding-bottom:12px}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:.84rem;color:var(--soft);margin-bottom:8px}
.key::before{content:"";display:inline-block;width:16px;height:3px;border-radius:2px;margin-right:7px;vertical-align:middle;background:var(--accent)}
.key.second::before{background:var(--second)}.key.third::before{background:var(--soft)}
.frame{display:flex;gap:10px}
.frame svg{flex:1;min-width:0}
.values{display:flex;flex-direction:column;justify-content:space-between;width:3.4em;flex:none;text-align:right}
.values,.ticks{color:var(--soft);font-size:.75rem}
.ticks{display:flex;justify-content:space-between;margin:5px 0 0 calc(3.4em + 10px)}
.lags .ticks{margin-left:0}
svg{display:block;width:100%;height:140px}
.small svg{height:104px}
.plot svg{background:linear-gradient(var(--line),var(--line)) bottom/100% 1px no-repeat}
.line{fill:none;stroke:var(--accent);stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round;vector-effect:non-scaling-stroke}
.line.second{stroke:var(--second)}.line.third{stroke:var(--soft)}
.limit{fill:none;stroke:var(--soft);stroke-width:1;stroke-dasharray:3 4;vector-effect:non-scaling-stroke;opacity:.8}
.best{fill:none;stroke:var(--second);stroke-width:2;vector-effect:non-scaling-stroke}
rect.quiet{fill:var(--quiet)}rect.fault{fill:var(--badwash)}
ul{padding-left:1.1em;margin:0;color:var(--soft);font-size:.94rem;max-width:72ch}
li+li{margin-top:4px}
@media(max-width:760px){main{padding:26px 18px 56px}h1{font-size:1.6rem}.measures,.plots,.pair{grid-template-columns:1fr}.measures dd{grid-template-columns:72px 84px;gap:0 12px}.plot{padding:16px}.verdict{margin:26px 0 24px}svg{height:118px}}
@media print{body{background:#fff}.finding,.plot{break-inside:avoid}}
`;
